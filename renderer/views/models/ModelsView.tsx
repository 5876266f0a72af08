import { useState } from 'react';

import { catalog } from '../../../main/contract/domain.ts';
import type { CatalogEntry } from '../../../main/contract/domain.ts';
import { useEngine } from '../../state/engine.ts';
import { importModel, useModels } from '../../state/models.ts';
import { loadInstalled } from '../../state/start.ts';
import { useUi } from '../../state/ui.ts';
import { parameters } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { DownloadProgress } from '../DownloadProgress.tsx';
import { FolderChoice } from '../FolderChoice.tsx';
import { OnboardingCard } from '../OnboardingCard.tsx';
import { InstalledModel } from './InstalledModel.tsx';
import { OtherRepository } from './OtherRepository.tsx';
import { Removed } from './Removed.tsx';
import './library.css';

const syntheticModels = ['synthetic:nemotron-flash-3b', 'synthetic:nemotron-flash-1b', 'synthetic:tiny'];

/** The library: what is here, what is on its way, what can be had. */
export function ModelsView() {
  // A link may have asked for one.
  const asked = useUi((state) => state.askedRepo);
  const [chosen, setShown] = useState<string | null>(null);
  const shown = chosen ?? asked;
  return (
    <div className="sheet scroll">
      <Problems hidden={shown !== null} />
      <Downloads shown={shown} />
      <Installed onDetails={setShown} />
      <section className="section" aria-labelledby="available-title">
        <h2 id="available-title">{strings.models.available}</h2>
        <ul role="list" className="list">
          {catalog.map((entry) => (
            <li key={entry.repo}>
              {shown === entry.repo ? (
                <OnboardingCard repo={entry.repo} />
              ) : (
                <Offer entry={entry} onDetails={() => setShown(entry.repo)} />
              )}
            </li>
          ))}
        </ul>
        <OtherRepository shown={shown} onDetails={setShown} />
      </section>
      <Synthetic />
    </div>
  );
}

function Problems({ hidden }: { readonly hidden: boolean }) {
  const error = useModels((state) => state.error);
  const engineError = useEngine((state) => state.error);
  const shown = hidden ? engineError : (error ?? engineError);
  return shown === null ? null : <Notice tone="bad">{shown.message}</Notice>;
}

function Downloads({ shown }: { readonly shown: string | null }) {
  const downloads = useModels((state) => state.downloads);
  const open = Object.values(downloads).filter(({ state, repo }) => state !== 'done' && repo !== shown);
  return open.map((status) => <DownloadProgress key={status.repo} status={status} />);
}

function Installed({ onDetails }: { readonly onDetails: (repo: string) => void }) {
  const installed = useModels((state) => state.installed);
  return (
    <section className="section" aria-labelledby="installed-title">
      <h2 id="installed-title">{strings.models.installed}</h2>
      <Removed />
      {installed.length === 0 && <p className="soft">{strings.models.nothing}</p>}
      <ul role="list" className="list">
        {installed.map((model) => (
          <InstalledModel key={model.id} model={model} onUpdate={onDetails} />
        ))}
      </ul>
      <FolderChoice
        label={strings.models.importTitle}
        fieldLabel={strings.onboarding.folderField}
        onChoose={(path) => void importModel(path)}
      />
    </section>
  );
}

function Offer({ entry, onDetails }: { readonly entry: CatalogEntry; readonly onDetails: () => void }) {
  const here = useModels((state) => state.installed.some((model) => model.repo === entry.repo));
  const label = here ? strings.library.details : strings.models.get;
  return (
    <div className="item">
      <div className="item-words">
        <strong>{entry.name}</strong>
        <span className="soft">
          <span className="figures">{parameters(entry.parameters)}</span> · {strings.models[entry.kind]}
          {here && ` · ${strings.library.here}`}
        </span>
      </div>
      <Button onClick={onDetails} aria-label={`${label}: ${entry.name}`}>
        {label}
      </Button>
    </div>
  );
}

function Synthetic() {
  const loaded = useEngine((state) => (state.status?.state === 'ready' ? state.status.model.source : null));
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
