import { useState } from 'react';

import { maxPresetName } from '../../main/contract/domain.ts';
import type { SamplingOptions, SamplingPreset } from '../../main/contract/domain.ts';
import { setSampling } from '../state/chat.ts';
import { presetNamed, renamed, withoutPreset, withPreset } from '../state/presets.ts';
import { presetNames, presetOf, presets as builtIn } from '../state/sampling.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { strings } from '../strings.ts';
import { Button, IconButton } from '../ui/Button.tsx';
import { Menu } from '../ui/Menu.tsx';
import { Segmented } from '../ui/Segmented.tsx';

const plainSampling = (sampling: SamplingOptions) => ({ ...sampling, stop: [...sampling.stop] });

const keep = (presets: readonly SamplingPreset[]): void =>
  void updateSettings({ presets: presets.map(({ name, sampling }) => ({ name, sampling: plainSampling(sampling) })) });

/** Ready-made choices, the user's own ones, and the way to make one. */
export function Presets({ sampling }: { readonly sampling: SamplingOptions }) {
  const presets = useSettings((state) => state.settings.presets);
  const [naming, setNaming] = useState<string | null>(null);
  const active = presetNamed(presets, sampling);
  return (
    <section className="stack" aria-label={strings.sampling.presetsLabel}>
      <Segmented
        label={strings.sampling.presetsLabel}
        value={presetOf(sampling)}
        choices={presetNames.map((name) => ({ value: name, label: strings.sampling.presets[name] }))}
        onChange={(name) => setSampling(builtIn[name])}
      />
      {presets.length > 0 && (
        <ul role="list" className="presets" aria-label={strings.sampling.ownPresets}>
          {presets.map((preset) => (
            <li key={preset.name}>
              {naming === preset.name ? (
                <NameField
                  initial={preset.name}
                  onDone={(name) => {
                    const next = name === null ? null : renamed(presets, preset.name, name);
                    if (next !== null) keep(next);
                    setNaming(null);
                  }}
                />
              ) : (
                <PresetRow
                  preset={preset}
                  isActive={preset.name === active}
                  onRename={() => setNaming(preset.name)}
                  onUpdate={() => keep(withPreset(presets, preset.name, sampling))}
                  onRemove={() => keep(withoutPreset(presets, preset.name))}
                />
              )}
            </li>
          ))}
        </ul>
      )}
      {naming === '' ? (
        <NameField
          initial=""
          onDone={(name) => {
            if (name !== null && name.trim() !== '') keep(withPreset(presets, name, sampling));
            setNaming(null);
          }}
        />
      ) : (
        active === null && (
          <Button look="link" onClick={() => setNaming('')}>
            {strings.sampling.savePreset}
          </Button>
        )
      )}
    </section>
  );
}

function PresetRow(props: {
  readonly preset: SamplingPreset;
  readonly isActive: boolean;
  readonly onRename: () => void;
  readonly onUpdate: () => void;
  readonly onRemove: () => void;
}) {
  const { preset, isActive, onRename, onUpdate, onRemove } = props;
  return (
    <div className="preset">
      <button
        type="button"
        className="preset-name"
        aria-pressed={isActive}
        title={preset.name}
        onClick={() => setSampling(plainSampling(preset.sampling))}
      >
        {preset.name}
      </button>
      <Menu
        trigger={<IconButton icon="more" label={strings.sampling.presetActions(preset.name)} />}
        items={[
          ...(isActive ? [] : [{ label: strings.sampling.updatePreset, run: onUpdate }]),
          { label: strings.rail.rename, icon: 'edit', run: onRename },
          { label: strings.rail.remove, icon: 'trash', danger: true, run: onRemove },
        ]}
      />
    </div>
  );
}

/** Enter and leaving the field take the name, Esc does not. */
function NameField({ initial, onDone }: { readonly initial: string; readonly onDone: (name: string | null) => void }) {
  const [name, setName] = useState(initial);
  return (
    <input
      className="input"
      aria-label={strings.sampling.presetName}
      placeholder={strings.sampling.presetName}
      maxLength={maxPresetName}
      // The field appears because its button was pressed.
      ref={(field) => field?.focus()}
      value={name}
      onChange={(change) => setName(change.target.value)}
      onBlur={() => onDone(name)}
      onKeyDown={(key) => {
        if (key.key === 'Enter' && !key.nativeEvent.isComposing) onDone(name);
        if (key.key === 'Escape') {
          key.stopPropagation();
          onDone(null);
        }
      }}
    />
  );
}
