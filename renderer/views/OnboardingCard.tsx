import { useEffect } from 'react';

import { catalog } from '../../main/contract/domain.ts';
import type { FormatForecast, RepoDescription } from '../../main/contract/domain.ts';
import { describe, download, importModel, useModels } from '../state/models.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { loadInstalled } from '../state/start.ts';
import { showPage } from '../state/ui.ts';
import { bytesText, parameters, rateText } from '../format.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Fact } from '../ui/Fact.tsx';
import { Notice } from '../ui/Notice.tsx';
import { DownloadProgress } from './DownloadProgress.tsx';
import { FolderChoice } from './FolderChoice.tsx';

/** One card, one button: what the model is, what it costs, and the licence that the button accepts. */
export function OnboardingCard({ repo }: { readonly repo: string }) {
  const description = useModels((state) => state.descriptions[repo]);
  const status = useModels((state) => state.downloads[repo]);
  const entry = catalog.find((candidate) => candidate.repo === repo);
  const underWay = status !== undefined && status.state !== 'done';

  useEffect(() => {
    const { descriptions, describing } = useModels.getState();
    if (descriptions[repo] === undefined && describing !== repo) void describe(repo);
  }, [repo]);

  return (
    <section className="card onboarding" aria-labelledby="onboarding-title">
      <h2 id="onboarding-title" className="card-title">
        {entry?.name ?? repo}
      </h2>
      {underWay ? (
        <>
          <DownloadProgress status={status} inCard />
          <p className="soft">{strings.download.write}</p>
        </>
      ) : (
        <Offer repo={repo} description={description} />
      )}
    </section>
  );
}

function Offer({ repo, description }: { readonly repo: string; readonly description: RepoDescription | undefined }) {
  const asking = useModels((state) => state.describing === repo);
  const error = useModels((state) => state.error);
  return (
    <>
      {error !== null && (
        <Notice
          tone="bad"
          actions={
            <Button look="link" onClick={() => void describe(repo)}>
              {strings.common.retry}
            </Button>
          }
        >
          {error.message}
        </Notice>
      )}
      {description === undefined && asking && <p className="soft">{strings.onboarding.asking}</p>}
      {description !== undefined && <Described description={description} />}
      <div className="row">
        <FolderChoice
          label={strings.onboarding.haveIt}
          fieldLabel={strings.onboarding.folderField}
          onChoose={(path) =>
            void importModel(path).then((model) => {
              if (model !== null) void loadInstalled(model.id).then(() => showPage('chat'));
            })
          }
        />
        {description !== undefined && (
          <FolderChoice
            label={strings.onboarding.chooseFolder}
            fieldLabel={strings.onboarding.targetField}
            onChoose={(folder) => void updateSettings({ modelsFolder: folder }).then(() => describe(repo, folder))}
          />
        )}
      </div>
    </>
  );
}

function chosenForecast(description: RepoDescription, format: string): FormatForecast | undefined {
  const wanted = format === 'auto' ? description.recommendedFormat : format;
  return description.forecasts.find((entry) => entry.format === wanted) ?? description.forecasts[0];
}

function Described({ description }: { readonly description: RepoDescription }) {
  const format = useSettings((state) => state.settings.format);
  const forecast = chosenForecast(description, format);
  const entry = catalog.find((candidate) => candidate.repo === description.repo);
  const perSecond = forecast?.tokensPerSecond ?? null;
  const tight = description.freeBytes < description.totalBytes;
  const { licence } = description;
  return (
    <>
      <dl className="facts">
        {entry !== undefined && <Fact term={strings.onboarding.parametersLabel}>{parameters(entry.parameters)}</Fact>}
        <Fact term={strings.onboarding.sizeLabel}>{bytesText(description.totalBytes)}</Fact>
        <Fact term={strings.onboarding.diskLabel}>{bytesText(description.freeBytes)}</Fact>
        {forecast !== undefined && (
          <Fact term={strings.onboarding.memoryLabel}>
            {forecast.device === 'cuda'
              ? strings.onboarding.gpuMemory(forecast.memoryBytes)
              : strings.onboarding.cpuMemory(forecast.memoryBytes)}
            <span className="soft"> ({strings.onboarding.memoryHave(forecast.memoryFreeBytes)})</span>
          </Fact>
        )}
        <Fact term={strings.onboarding.speedLabel}>
          {perSecond === null ? strings.onboarding.speedUnknown : strings.onboarding.speed(perSecond)}
        </Fact>
        <Fact term={strings.onboarding.licenceLabel}>
          {licence.name}
          {licence.link !== null && (
            <>
              {' · '}
              <a href={licence.link} target="_blank" rel="noopener noreferrer">
                {strings.onboarding.licenceLink}
              </a>
            </>
          )}
        </Fact>
      </dl>
      {licence.text !== '' && (
        <details className="licence">
          <summary>{strings.onboarding.licenceText}</summary>
          <pre tabIndex={0} aria-label={strings.onboarding.licenceLabel} role="region" className="scroll">
            {licence.text}
          </pre>
        </details>
      )}
      {description.gated && <Notice tone="warn">{strings.onboarding.gated}</Notice>}
      {tight && (
        <Notice tone="warn">{strings.onboarding.notEnoughDisk(description.totalBytes, description.freeBytes)}</Notice>
      )}
      <div className="stack-tight">
        <Button look="primary" disabled={tight} onClick={() => void download(description)}>
          {strings.onboarding.button(description.totalBytes)}
        </Button>
        <p className="field-help">{strings.onboarding.licenceNote(licence.name)}</p>
        <p className="field-help path">
          {strings.onboarding.folder}: {description.targetFolder}
        </p>
      </div>
      <details>
        <summary>{strings.onboarding.otherFormats}</summary>
        <Formats description={description} />
      </details>
    </>
  );
}

/** Choosing here is choosing how the weights are loaded; the download is the same. */
function Formats({ description }: { readonly description: RepoDescription }) {
  const format = useSettings((state) => state.settings.format);
  const chosen = chosenForecast(description, format)?.format;
  return (
    <ul role="list" className="formats">
      {description.forecasts.map((forecast) => (
        <li key={`${forecast.format} ${forecast.device}`}>
          <label className="format">
            <input
              type="radio"
              name={`format ${description.repo}`}
              checked={forecast.format === chosen}
              onChange={() => void updateSettings({ format: forecast.format })}
            />
            <span className="format-words">
              <strong>{strings.model.formatNames[forecast.format]}</strong>
              {forecast.format === description.recommendedFormat && (
                <span className="tag">{strings.onboarding.recommended}</span>
              )}
              <span className="field-help">{strings.model.formatTrades[forecast.format]}</span>
            </span>
            <span className="format-figures figures">
              {bytesText(forecast.memoryBytes)}
              <span className={forecast.fits ? 'soft' : 'field-error'}>
                {strings.onboarding.fitsHead}: {forecast.fits ? strings.onboarding.fits : strings.onboarding.fitsNot}
              </span>
              {forecast.tokensPerSecond !== null && <span className="soft">{rateText(forecast.tokensPerSecond)}</span>}
            </span>
          </label>
        </li>
      ))}
    </ul>
  );
}
