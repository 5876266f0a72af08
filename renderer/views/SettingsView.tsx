import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';

import { contextRange, languageChoices, themes, weightFormats } from '../../main/contract/domain.ts';
import { loadDevices, useEngine } from '../state/engine.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { strings } from '../strings.ts';
import { Field, SelectField } from '../ui/Field.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { SliderField } from '../ui/SliderField.tsx';
import { About } from './About.tsx';
import { DesktopSettings } from './DesktopSettings.tsx';
import { FolderChoice } from './FolderChoice.tsx';
import { HubSettings } from './network/HubSettings.tsx';
import { Requests } from './network/Requests.tsx';
import { UpdateSettings } from './UpdateSettings.tsx';

export function SettingsView() {
  const settings = useSettings((state) => state.settings);
  const info = useSettings((state) => state.info);
  return (
    <div className="sheet scroll">
      <Section title={strings.settings.appearance}>
        <div className="field">
          <span className="field-label">{strings.settings.theme}</span>
          <Segmented
            label={strings.settings.theme}
            value={settings.theme}
            choices={themes.map((theme) => ({ value: theme, label: strings.settings.themes[theme] }))}
            onChange={(theme) => void updateSettings({ theme })}
          />
        </div>
        <div className="field">
          <span className="field-label">{strings.settings.language}</span>
          <Segmented
            label={strings.settings.language}
            value={settings.language}
            choices={languageChoices.map((choice) => ({ value: choice, label: strings.settings.languages[choice] }))}
            onChange={(choice) => void updateSettings({ language: choice })}
          />
        </div>
      </Section>
      <Section title={strings.settings.engine}>
        <SelectField
          label={strings.settings.device}
          help={strings.settings.deviceHelp}
          value={settings.device}
          options={(['auto', 'cuda', 'cpu'] as const).map((device) => ({
            value: device,
            label: strings.model.devices[device],
          }))}
          onChange={(device) => void updateSettings({ device })}
        />
        <SelectField
          label={strings.settings.format}
          help={strings.settings.formatHelp}
          value={settings.format}
          options={(['auto', ...weightFormats] as const).map((format) => ({
            value: format,
            label: format === 'auto' ? strings.common.auto : `${format} · ${strings.model.formatTrades[format]}`,
          }))}
          onChange={(format) => void updateSettings({ format })}
        />
        <ContextLength value={settings.contextPositions} />
        <Devices />
      </Section>
      <Section title={strings.settings.chats}>
        <DefaultSystemPrompt key={settings.systemPrompt} text={settings.systemPrompt} />
        <label className="switch">
          <input
            type="checkbox"
            checked={settings.prefillWhileTyping}
            onChange={(change) => void updateSettings({ prefillWhileTyping: change.target.checked })}
          />
          <span>
            {strings.settings.readAlong}
            <span className="field-help">{strings.settings.readAlongHelp}</span>
          </span>
        </label>
      </Section>
      <Section title={strings.settings.network}>
        <label className="switch">
          <input
            type="checkbox"
            checked={settings.hub.offline}
            onChange={(change) => void updateSettings({ hub: { ...settings.hub, offline: change.target.checked } })}
          />
          <span>
            {strings.settings.offline}
            <span className="field-help">{strings.settings.offlineHelp}</span>
          </span>
        </label>
        <HubSettings />
        <Requests />
      </Section>
      <Section title={strings.settings.storage}>
        {info !== null && (
          <p>
            {strings.settings.home} <span className="path figures">{info.home}</span>
          </p>
        )}
        <p>
          {strings.settings.modelsFolder}{' '}
          <span className="path figures">{settings.modelsFolder ?? strings.settings.noModelsFolder}</span>
        </p>
        <div>
          <FolderChoice
            label={strings.settings.change}
            fieldLabel={strings.settings.modelsFolder}
            onChoose={(modelsFolder) => void updateSettings({ modelsFolder })}
          />
        </div>
      </Section>
      {info?.shell === 'electron' && (
        <>
          <Section title={strings.desktop.title}>
            <DesktopSettings />
          </Section>
          <Section title={strings.updates.title}>
            <UpdateSettings />
          </Section>
        </>
      )}
      <Section title={strings.settings.about}>
        <About />
      </Section>
    </div>
  );
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="section" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

const saveDelayMs = 500;

/** A slider moves through many values; only where it rests is saved. */
function ContextLength({ value }: { readonly value: number }) {
  const [moved, setMoved] = useState<number | null>(null);
  useEffect(() => {
    if (moved === null) return undefined;
    const timer = setTimeout(
      () => void updateSettings({ contextPositions: moved }).then(() => setMoved(null)),
      saveDelayMs,
    );
    return () => clearTimeout(timer);
  }, [moved]);
  return (
    <SliderField
      label={strings.settings.context}
      help={strings.settings.contextHelp}
      range={contextRange}
      value={moved ?? value}
      onChange={setMoved}
    />
  );
}

function DefaultSystemPrompt({ text }: { readonly text: string }) {
  const [typed, setTyped] = useState(text);
  return (
    <Field label={strings.settings.systemPrompt} help={strings.sampling.systemPromptHelp}>
      {({ id, helpId }) => (
        <textarea
          id={id}
          className="input"
          aria-describedby={helpId}
          dir="auto"
          rows={3}
          value={typed}
          onChange={(change) => setTyped(change.target.value)}
          onBlur={() => {
            if (typed !== text) void updateSettings({ systemPrompt: typed });
          }}
        />
      )}
    </Field>
  );
}

function Devices() {
  const devices = useEngine((state) => state.devices);
  useEffect(() => void loadDevices(), []);
  if (devices === null) return null;
  return (
    <div className="field">
      <span className="field-label">{strings.settings.devices}</span>
      <ul role="list" className="list">
        {devices.devices.map((device) => (
          <li key={`${device.kind} ${device.index}`} className="device">
            <span>{device.name}</span>
            <span className="soft figures">
              {strings.settings.memoryFree(device.memoryFreeBytes, device.memoryTotalBytes)} · {device.features}
            </span>
          </li>
        ))}
      </ul>
      {devices.cudaReason !== null && (
        <p className="field-help">
          {strings.settings.noGpu}: {devices.cudaReason}
        </p>
      )}
    </div>
  );
}
