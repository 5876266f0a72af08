import { useState } from 'react';

import { catalog } from '../../main/contract/domain.ts';
import type { InstalledModel } from '../../main/contract/domain.ts';
import { useEngine } from '../state/engine.ts';
import { importModel, removeModel, selectDownload, useModels, verifyModel } from '../state/models.ts';
import { loadInstalled } from '../state/start.ts';
import { useUi } from '../state/ui.ts';
import { bytesText, dateText, parameters } from '../format.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Notice } from '../ui/Notice.tsx';
import { DownloadProgress } from './DownloadProgress.tsx';
import { FolderChoice } from './FolderChoice.tsx';
import { OnboardingCard } from './OnboardingCard.tsx';

const syntheticModels = ['synthetic:nemotron-flash-3b', 'synthetic:nemotron-flash-1b', 'synthetic:tiny'];

export function ModelsView() {
  const installed = useModels((state) => state.installed);
  const download = useModels(selectDownload);
  const error = useModels((state) => state.error);
  const engineError = useEngine((state) => state.error);
  const asked = useUi((state) => state.askedRepo);
  const [chosen, setShown] = useState<string | null>(null);
  const shown = chosen ?? asked;
  const shownError = error ?? engineError;
  return (
    <div className="sheet scroll">
      {shownError !== null && shown === null && <Notice tone="bad">{shownError.message}</Notice>}
      {download !== null && download.repo !== shown && <DownloadProgress status={download} />}
      <section className="section" aria-labelledby="installed-title">
        <h2 id="installed-title">{strings.models.installed}</h2>
        {installed.length === 0 && <p className="soft">{strings.models.nothing}</p>}
        <ul role="list" className="list">
          {installed.map((model) => (
            <Installed key={model.id} model={model} />
          ))}
        </ul>
        <FolderChoice
          label={strings.models.importTitle}
          fieldLabel={strings.onboarding.folderField}
          onChoose={(path) => void importModel(path)}
        />
      </section>
      <section className="section" aria-labelledby="available-title">
        <h2 id="available-title">{strings.models.available}</h2>
        <ul role="list" className="list">
          {catalog.map((entry) =>
            shown === entry.repo ? (
              <li key={entry.repo}>
                <OnboardingCard repo={entry.repo} />
              </li>
            ) : (
              <li key={entry.repo} className="item">
                <div className="item-words">
                  <strong>{entry.name}</strong>
                  <span className="soft">
                    <span className="figures">{parameters(entry.parameters)}</span> · {strings.models[entry.kind]}
                  </span>
                </div>
                <Button onClick={() => setShown(entry.repo)} aria-label={`${strings.models.get}: ${entry.name}`}>
                  {strings.models.get}
                </Button>
              </li>
            ),
          )}
        </ul>
        {asked !== null && !catalog.some(({ repo }) => repo === asked) && <OnboardingCard repo={asked} />}
      </section>
      <Synthetic />
    </div>
  );
}

function useLoadedSource(): string | null {
  return useEngine((state) => (state.status?.state === 'ready' ? state.status.model.source : null));
}

function Installed({ model }: { readonly model: InstalledModel }) {
  const loaded = useLoadedSource() === model.id;
  const verifying = useModels((state) => state.verifying === model.id);
  const report = useModels((state) => state.reports[model.id]);
  const [confirming, setConfirming] = useState(false);
  const damaged = report?.files.filter((file) => !file.ok).map((file) => file.path) ?? [];
  return (
    <li className="item item-tall">
      <div className="item-words">
        <strong>{model.name}</strong>
        <span className="soft">
          <span className="figures">{bytesText(model.sizeBytes)}</span>
          {model.origin === 'imported' && ` · ${strings.models.imported}`} ·{' '}
          {model.verifiedAt === null ? strings.models.notVerified : strings.models.verified(dateText(model.verifiedAt))}
        </span>
        <span className="field-help path">{model.folder}</span>
        {report !== undefined && (
          <span role="status" className={report.ok ? 'soft' : 'field-error'}>
            {report.ok ? strings.models.intact : strings.models.damaged(damaged)}
          </span>
        )}
      </div>
      {confirming ? (
        <Notice
          tone="warn"
          actions={
            <>
              <Button look="danger" onClick={() => void removeModel(model.id).then(() => setConfirming(false))}>
                {strings.models.removeButton}
              </Button>
              <Button onClick={() => setConfirming(false)}>{strings.common.cancel}</Button>
            </>
          }
        >
          {strings.models.removeConfirm(model.name, model.sizeBytes)}
        </Notice>
      ) : (
        <div className="row">
          <Button look="primary" disabled={loaded} onClick={() => void loadInstalled(model.id)}>
            {loaded ? strings.models.loaded : strings.models.load}
          </Button>
          <Button disabled={verifying} onClick={() => void verifyModel(model.id)}>
            {verifying ? strings.models.verifying : strings.models.verify}
          </Button>
          <Button disabled={loaded} onClick={() => setConfirming(true)}>
            {strings.models.remove}
          </Button>
        </div>
      )}
    </li>
  );
}

function Synthetic() {
  const loaded = useLoadedSource();
  return (
    <section className="section" aria-labelledby="synthetic-title">
      <h2 id="synthetic-title">{strings.models.synthetic}</h2>
      <p className="soft">{strings.models.syntheticHelp}</p>
      <ul role="list" className="list">
        {syntheticModels.map((source) => (
          <li key={source} className="item">
            <span className="figures item-words">{source}</span>
            <Button
              disabled={loaded === source}
              aria-label={`${strings.models.load}: ${source}`}
              onClick={() => void loadInstalled(source)}
            >
              {loaded === source ? strings.models.loaded : strings.models.load}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
