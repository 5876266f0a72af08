import type { DesktopSettings as Desktop } from '../../main/contract/domain.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { strings } from '../strings.ts';

const choices = ['tray', 'softwareRendering', 'spellCheck'] as const satisfies readonly (keyof Desktop)[];

/** What only the installed app can do. */
export function DesktopSettings() {
  const desktop = useSettings((state) => state.settings.desktop);
  return choices.map((choice) => (
    <label key={choice} className="switch">
      <input
        type="checkbox"
        checked={desktop[choice]}
        onChange={(change) => void updateSettings({ desktop: { ...desktop, [choice]: change.target.checked } })}
      />
      <span>
        {strings.desktop[choice]}
        <span className="field-help">{strings.desktop.help[choice]}</span>
      </span>
    </label>
  ));
}
