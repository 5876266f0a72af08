import { useState } from 'react';
import type { ReactNode } from 'react';

import {
  defaultSampling,
  logprobsRange,
  maxSeed,
  maxStopLength,
  maxStopStrings,
  promptFormats,
  samplingRanges,
} from '../../main/contract/domain.ts';
import type { SamplingNumber, SamplingOptions } from '../../main/contract/domain.ts';
import { setSampling, setSystemPrompt, useChat } from '../state/chat.ts';
import { differences, differs } from '../state/sampling.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { strings } from '../strings.ts';
import { Button, IconButton } from '../ui/Button.tsx';
import { Field } from '../ui/Field.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { SliderField } from '../ui/SliderField.tsx';
import { EffectiveSettings } from './EffectiveSettings.tsx';
import { Presets } from './Presets.tsx';

/** How the next token is chosen, for the open chat. */
export function SamplingPanel() {
  const sampling = useChat((state) => state.open?.sampling ?? null);
  if (sampling === null) return null;
  const changed = differences(sampling);
  return (
    <div className="sampling">
      <Presets sampling={sampling} />
      <div className="row between">
        <span className="soft">{strings.sampling.changed(changed.length)}</span>
        {changed.length > 0 && (
          <Button look="link" onClick={() => setSampling(defaultSampling)}>
            {strings.sampling.resetAll}
          </Button>
        )}
      </div>
      <Group title={strings.sampling.groups.randomness}>
        <Numbers sampling={sampling} names={['temperature', 'topP', 'topK', 'minP']} />
      </Group>
      <Group title={strings.sampling.groups.repetition}>
        <Numbers sampling={sampling} names={['repetitionPenalty', 'frequencyPenalty', 'presencePenalty']} />
      </Group>
      <Group title={strings.sampling.groups.length}>
        <Numbers sampling={sampling} names={['maxNewTokens']} />
        <StopStrings stop={sampling.stop} />
      </Group>
      <Group title={strings.sampling.groups.reproducibility}>
        <Seed key={String(sampling.seed)} seed={sampling.seed} />
        <FormatChoice sampling={sampling} />
      </Group>
      <Group title={strings.sampling.groups.instructions}>
        <SystemPrompt />
      </Group>
      <Group title={strings.sampling.groups.inspector}>
        <Logprobs />
      </Group>
      <EffectiveSettings sampling={sampling} />
    </div>
  );
}

function Group({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="group" aria-label={title}>
      <h3 className="group-title">{title}</h3>
      {children}
    </section>
  );
}

function Numbers({
  sampling,
  names,
}: {
  readonly sampling: SamplingOptions;
  readonly names: readonly SamplingNumber[];
}) {
  return names.map((name) => (
    <SliderField
      key={name}
      label={strings.sampling.names[name].label}
      help={strings.sampling.names[name].help}
      range={samplingRanges[name]}
      value={sampling[name]}
      onChange={(value) => setSampling({ [name]: value })}
    />
  ));
}

/** Of the whole app, not of one chat: it is for looking closely, and costs a little time and disk. */
function Logprobs() {
  const logprobs = useSettings((state) => state.settings.logprobs);
  return (
    <SliderField
      label={strings.sampling.logprobs}
      help={strings.sampling.logprobsHelp}
      range={logprobsRange}
      value={logprobs}
      onChange={(value) => void updateSettings({ logprobs: value })}
    />
  );
}

function ResetButton({
  label,
  value,
  onReset,
}: {
  readonly label: string;
  readonly value: string;
  readonly onReset: () => void;
}) {
  return <IconButton icon="reset" label={strings.sampling.reset(label, value)} onClick={onReset} />;
}

function Seed({ seed }: { readonly seed: number | null }) {
  const [typed, setTyped] = useState(seed === null ? '' : String(seed));
  const value = typed.trim() === '' ? null : Number(typed);
  const valid = value === null || (Number.isInteger(value) && value >= 0 && value <= maxSeed);
  return (
    <div className={seed === null ? 'field' : 'field changed'}>
      <div className="slider-head">
        <label className="field-label" htmlFor="seed">
          {strings.sampling.seed}
        </label>
        {seed !== null && (
          <ResetButton
            label={strings.sampling.seed}
            value={strings.sampling.seedPlaceholder}
            onReset={() => setSampling({ seed: null })}
          />
        )}
        <input
          id="seed"
          className="input number number-wide figures"
          inputMode="numeric"
          placeholder={strings.sampling.seedPlaceholder}
          aria-invalid={!valid}
          aria-describedby="seed-help"
          value={typed}
          onChange={(change) => setTyped(change.target.value)}
          onBlur={() => {
            if (valid && value !== seed) setSampling({ seed: value });
          }}
          onKeyDown={(key) => {
            if (key.key === 'Enter') key.currentTarget.blur();
          }}
        />
      </div>
      <p id="seed-help" className={valid ? 'field-help' : 'field-help field-error'}>
        {valid ? strings.sampling.seedHelp : strings.sampling.seedRange(maxSeed)}
      </p>
    </div>
  );
}

/** As JSON writes it, so that a line break in a stop string can be seen. */
const visible = (text: string): string => JSON.stringify(text).slice(1, -1);

function StopStrings({ stop }: { readonly stop: readonly string[] }) {
  const [typed, setTyped] = useState('');
  const full = stop.length >= maxStopStrings;
  const add = (): void => {
    const text = typed.replaceAll('\\n', '\n').replaceAll('\\t', '\t');
    if (text === '' || full) return;
    if (!stop.includes(text)) setSampling({ stop: [...stop, text] });
    setTyped('');
  };
  return (
    <div className={stop.length === 0 ? undefined : 'field-marked'}>
      <Field
        label={strings.sampling.stop}
        help={full ? strings.sampling.stopLimit(maxStopStrings) : strings.sampling.stopHelp}
      >
        {({ id, helpId }) => (
          <>
            {stop.length > 0 && (
              <ul role="list" className="stops">
                {stop.map((text) => (
                  <li key={text} className="stop-string">
                    <code>{visible(text)}</code>
                    <IconButton
                      icon="close"
                      label={strings.sampling.stopRemove(visible(text))}
                      onClick={() => setSampling({ stop: stop.filter((entry) => entry !== text) })}
                    />
                  </li>
                ))}
              </ul>
            )}
            <input
              id={id}
              className="input figures"
              aria-describedby={helpId}
              placeholder={strings.sampling.stopAdd}
              maxLength={maxStopLength}
              disabled={full}
              value={typed}
              onChange={(change) => setTyped(change.target.value)}
              onBlur={add}
              onKeyDown={(key) => {
                if (key.key !== 'Enter' || key.nativeEvent.isComposing) return;
                key.preventDefault();
                add();
              }}
            />
          </>
        )}
      </Field>
    </div>
  );
}

function FormatChoice({ sampling }: { readonly sampling: SamplingOptions }) {
  const changed = differs(sampling, 'promptFormat');
  return (
    <div className={changed ? 'field changed' : 'field'}>
      <div className="slider-head">
        <span className="field-label">{strings.sampling.format}</span>
        {changed && (
          <ResetButton
            label={strings.sampling.format}
            value={strings.sampling.formats[defaultSampling.promptFormat]}
            onReset={() => setSampling({ promptFormat: defaultSampling.promptFormat })}
          />
        )}
      </div>
      <Segmented
        label={strings.sampling.format}
        value={sampling.promptFormat}
        choices={promptFormats.map((format) => ({ value: format, label: strings.sampling.formats[format] }))}
        onChange={(promptFormat) => setSampling({ promptFormat })}
      />
      <p className="field-help">{strings.sampling.formatHelp}</p>
    </div>
  );
}

function SystemPrompt() {
  const text = useChat((state) => state.open?.systemPrompt ?? '');
  return (
    <Field label={strings.sampling.systemPrompt} help={strings.sampling.systemPromptHelp}>
      {({ id, helpId }) => (
        <textarea
          id={id}
          className="input"
          aria-describedby={helpId}
          dir="auto"
          rows={4}
          value={text}
          onChange={(change) => setSystemPrompt(change.target.value)}
        />
      )}
    </Field>
  );
}
