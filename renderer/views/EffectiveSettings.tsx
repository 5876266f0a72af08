import { useState } from 'react';

import type { SamplingOptions } from '../../main/contract/domain.ts';
import { useChat } from '../state/chat.ts';
import { curlOf, sameSampling } from '../state/presets.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { CopyButton } from '../ui/CopyButton.tsx';
import { Segmented } from '../ui/Segmented.tsx';

/** What the next answer is really made with: for the eye, and for a program. */
export function EffectiveSettings({ sampling }: { readonly sampling: SamplingOptions }) {
  const standard = useSettings((state) => state.settings.sampling);
  const logprobs = useSettings((state) => state.settings.logprobs);
  const systemPrompt = useChat((state) => state.open?.systemPrompt ?? '');
  const [form, setForm] = useState<'json' | 'curl'>('json');
  const text =
    form === 'json' ? JSON.stringify({ ...sampling, logprobs }, null, 2) : curlOf(sampling, systemPrompt, logprobs);
  const isStandard = sameSampling(standard, sampling);
  return (
    <details className="effective">
      <summary>{strings.sampling.effective}</summary>
      <Segmented
        label={strings.sampling.effectiveForm}
        value={form}
        choices={[
          { value: 'json', label: 'JSON' },
          { value: 'curl', label: 'curl' },
        ]}
        onChange={setForm}
      />
      <div className="effective-body">
        <pre tabIndex={0} role="region" aria-label={strings.sampling.effective} className="figures">
          {text}
        </pre>
        <CopyButton label={strings.common.copy} text={() => text} />
      </div>
      {form === 'curl' && <p className="field-help">{strings.sampling.curlHelp}</p>}
      <Button
        disabled={isStandard}
        onClick={() => void updateSettings({ sampling: { ...sampling, stop: [...sampling.stop] } })}
      >
        {isStandard ? strings.sampling.isDefault : strings.sampling.makeDefault}
      </Button>
    </details>
  );
}
