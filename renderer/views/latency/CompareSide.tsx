import { deviceKinds, weightFormats } from '../../../main/contract/domain.ts';
import type { DeviceKind, LoadedModel, WeightFormat } from '../../../main/contract/domain.ts';
import type { Variant } from '../../../main/contract/benchmark.ts';
import { strings } from '../../strings.ts';
import { Field, SelectField } from '../../ui/Field.tsx';

/** What a side changes; '' keeps what is loaded. */
export interface Side {
  readonly format: WeightFormat | '';
  readonly device: DeviceKind | '';
  readonly threads: string;
  readonly useGraph: Switch;
  readonly readsAhead: Switch;
}

/** '' leaves it out of the comparison. */
type Switch = '' | 'on' | 'off';

export const asLoaded: Side = { format: '', device: '', threads: '', useGraph: '', readsAhead: '' };

const maxThreads = 1024;

export function variantOf({ format, device, threads, useGraph, readsAhead }: Side): Variant {
  return {
    ...(format !== '' && { format }),
    ...(device !== '' && { device }),
    ...(threads !== '' && { threads: Number(threads) }),
    ...(useGraph !== '' && { useGraph: useGraph === 'on' }),
    ...(readsAhead !== '' && { readsAhead: readsAhead === 'on' }),
  };
}

export const threadsAreWrong = ({ threads }: Side): boolean =>
  threads !== '' && !(Number.isInteger(Number(threads)) && Number(threads) >= 1 && Number(threads) <= maxThreads);

/** The fields of one side. */
export function SideFields(props: {
  readonly name: 'A' | 'B';
  readonly side: Side;
  readonly model: LoadedModel | null;
  readonly onChange: (side: Side) => void;
}) {
  const { name, side, model, onChange } = props;
  const kept = (now: string | undefined): string =>
    now === undefined ? strings.benchmark.asLoaded : strings.benchmark.asLoadedIs(now);
  const devices = deviceKinds.map((value) => ({ value, label: strings.model.devices[value] }));
  const { device } = side;
  const onGpu = (device === '' ? model?.device : device) === 'cuda';
  const switches = (now: string) => [
    { value: '' as const, label: now },
    ...(['on', 'off'] as const).map((value) => ({ value, label: strings.benchmark.switches[value] })),
  ];
  return (
    <fieldset className="side">
      <legend>{strings.benchmark.side(name)}</legend>
      <SelectField<WeightFormat | ''>
        label={strings.benchmark.format}
        value={side.format}
        options={[
          { value: '', label: kept(model?.format) },
          ...weightFormats.map((value) => ({ value, label: value })),
        ]}
        onChange={(format) => onChange({ ...side, format })}
      />
      <SelectField<DeviceKind | ''>
        label={strings.benchmark.device}
        value={device}
        options={[
          { value: '', label: kept(model === null ? undefined : strings.model.devices[model.device]) },
          ...devices,
        ]}
        // What the new device may not have is no longer asked for.
        onChange={(chosen) => onChange({ ...side, device: chosen, useGraph: '' })}
      />
      <ThreadsField side={side} now={kept(model === null ? undefined : String(model.threads))} onChange={onChange} />
      <SelectField<Switch>
        label={strings.benchmark.graph}
        help={onGpu ? strings.benchmark.graphHelp : strings.benchmark.graphNeedsGpu}
        value={onGpu ? side.useGraph : ''}
        options={switches(onGpu ? kept(strings.benchmark.switches.on) : strings.common.none)}
        disabled={!onGpu}
        onChange={(useGraph) => onChange({ ...side, useGraph })}
      />
      <SelectField<Switch>
        label={strings.benchmark.readsAhead}
        help={strings.benchmark.readsAheadHelp}
        value={side.readsAhead}
        options={switches(strings.benchmark.notCompared)}
        onChange={(readsAhead) => onChange({ ...side, readsAhead })}
      />
    </fieldset>
  );
}

function ThreadsField(props: { readonly side: Side; readonly now: string; readonly onChange: (side: Side) => void }) {
  const { side, now, onChange } = props;
  return (
    <Field
      label={strings.benchmark.threads}
      error={threadsAreWrong(side) ? strings.benchmark.threadsRange(maxThreads) : null}
    >
      {({ id, helpId }) => (
        <input
          id={id}
          className="input"
          inputMode="numeric"
          aria-describedby={helpId}
          aria-invalid={threadsAreWrong(side)}
          placeholder={now}
          value={side.threads}
          onChange={(change) => onChange({ ...side, threads: change.target.value.trim() })}
        />
      )}
    </Field>
  );
}
