import { useState } from 'react';

import { contextRange, weightFormats } from '../../main/contract/domain.ts';
import type { EngineStatus, LoadedModel } from '../../main/contract/domain.ts';
import { cancelLoad, loadDevices, unloadModel, useEngine } from '../state/engine.ts';
import { useModels } from '../state/models.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { loadInstalled } from '../state/start.ts';
import { showPage } from '../state/ui.ts';
import { durationText, parameters, percent } from '../format.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { SelectField } from '../ui/Field.tsx';
import { Icon } from '../ui/Icon.tsx';
import { Notice } from '../ui/Notice.tsx';
import { PopoverPanel } from '../ui/PopoverPanel.tsx';
import { Progress } from '../ui/Progress.tsx';
import { LostActions } from './LostActions.tsx';

/** The name people know it by: without the family name. */
const shortName = (name: string): string => name.replace(/^Nemotron-Flash-/, '');

function chipText(status: EngineStatus | null): string {
  if (status === null) return strings.model.asking;
  switch (status.state) {
    case 'empty':
      return strings.model.none;
    case 'loading': {
      const share = status.totalBytes > 0 ? ` ${percent(status.doneBytes / status.totalBytes)}` : '';
      return `${strings.model.loadPhases[status.phase]}${share}`;
    }
    case 'ready':
      return `${shortName(status.model.name)} · ${status.model.format}`;
    case 'lost':
      return strings.model.lostChip;
  }
}

/** Says what runs, and is the way to change it; the badge beside it says where. */
export function ModelChip() {
  const status = useEngine((state) => state.status);
  const [open, setOpen] = useState(false);
  const text = chipText(status);
  return (
    <PopoverPanel
      label={strings.model.chip}
      button={
        <button type="button" className="chip" aria-label={`${strings.model.chip}: ${text}`} title={text}>
          {status?.state === 'ready' ? <ReadyText model={status.model} /> : <span className="chip-text">{text}</span>}
          <Icon name="down" />
        </button>
      }
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (next) void loadDevices();
      }}
    >
      <ChipPanel status={status} close={() => setOpen(false)} />
    </PopoverPanel>
  );
}

/** Of a name too long for the header its end is left out, never the format. */
function ReadyText({ model }: { readonly model: LoadedModel }) {
  return (
    <>
      <span className="chip-text">{shortName(model.name)}</span>
      <span className="chip-format">· {model.format}</span>
    </>
  );
}

function ChipPanel({ status, close }: { readonly status: EngineStatus | null; readonly close: () => void }) {
  const error = useEngine((state) => state.error);
  return (
    <>
      {status?.state === 'ready' && <ReadyPart model={status.model} />}
      {status?.state === 'loading' && (
        <div className="stack">
          <p>{chipText(status)}</p>
          <Progress
            label={strings.model.loadPhases[status.phase]}
            share={status.totalBytes > 0 ? status.doneBytes / status.totalBytes : null}
          />
          <Button onClick={() => void cancelLoad()}>{strings.model.stopLoading}</Button>
        </div>
      )}
      {status?.state === 'lost' && (
        <Notice tone="bad" actions={<LostActions request={status.request} />}>
          {status.error.message}
        </Notice>
      )}
      {status?.state === 'empty' && (error ?? status.lastError) !== null && (
        <Notice tone="bad">{(error ?? status.lastError)?.message}</Notice>
      )}
      {status?.state !== 'loading' && <LoadPart status={status} close={close} />}
      <Button
        look="link"
        onClick={() => {
          close();
          showPage('models');
        }}
      >
        {strings.model.manage}
      </Button>
    </>
  );
}

function ReadyPart({ model }: { readonly model: LoadedModel }) {
  const parts = [
    `${parameters(model.parameters)} · ${model.format}`,
    model.deviceName,
    ...(model.device === 'cpu' ? [strings.model.threads(model.threads)] : []),
    strings.model.memory(model.weightBytes),
    strings.model.loadTime(durationText(model.loadNs)),
  ];
  return (
    <div className="stack">
      <p className="popover-title">{model.name}</p>
      <p className="soft figures">{strings.model.details(parts)}</p>
      {model.synthetic && <Notice tone="warn">{strings.model.synthetic}</Notice>}
      <Button onClick={() => void unloadModel()}>{strings.model.unload}</Button>
    </div>
  );
}

function LoadPart({ status, close }: { readonly status: EngineStatus | null; readonly close: () => void }) {
  const settings = useSettings((state) => state.settings);
  const installed = useModels((state) => state.installed);
  const devices = useEngine((state) => state.devices);
  const loaded = status?.state === 'ready' ? status.model.source : null;
  const [chosen, setChosen] = useState<string | null>(null);
  const source = chosen ?? loaded ?? settings.modelId ?? installed[0]?.id ?? null;
  const sources = installed.map((entry) => ({ value: entry.id, label: entry.name }));
  if (loaded !== null && !sources.some((entry) => entry.value === loaded))
    sources.unshift({ value: loaded, label: loaded });
  if (source === null) return null;
  const contexts = [2048, 4096, contextRange.default, 16_384, 32_768, 65_536, 131_072, contextRange.max];
  const contextChoices = contexts.includes(settings.contextPositions)
    ? contexts
    : [settings.contextPositions, ...contexts];
  return (
    <div className="stack">
      <SelectField label={strings.model.sourceLabel} value={source} options={sources} onChange={setChosen} />
      <div className="pair">
        <SelectField
          label={strings.model.formatLabel}
          value={settings.format}
          options={[
            { value: 'auto', label: strings.common.auto },
            ...weightFormats.map((format) => ({ value: format, label: strings.model.formatNames[format] })),
          ]}
          onChange={(format) => void updateSettings({ format: format as typeof settings.format })}
        />
        <SelectField
          label={strings.model.deviceLabel}
          value={settings.device}
          options={(['auto', 'cuda', 'cpu'] as const).map((device) => ({
            value: device,
            label: strings.model.devices[device],
          }))}
          onChange={(device) => void updateSettings({ device })}
        />
      </div>
      {(devices?.cudaReason ?? null) !== null && settings.device === 'cuda' && (
        <p className="field-help">{devices?.cudaReason}</p>
      )}
      <SelectField
        label={strings.model.contextLabel}
        value={String(settings.contextPositions)}
        options={contextChoices.map((positions) => ({
          value: String(positions),
          label: strings.model.contextValue(positions),
        }))}
        onChange={(positions) => void updateSettings({ contextPositions: Number(positions) })}
      />
      <Button
        look="primary"
        onClick={() => {
          close();
          void loadInstalled(source);
        }}
      >
        {loaded === null ? strings.model.load : strings.model.apply}
      </Button>
    </div>
  );
}
