import { useState } from 'react';

import { catalog } from '../../../main/contract/domain.ts';
import type { InstalledModel as Model } from '../../../main/contract/domain.ts';
import { useEngine } from '../../state/engine.ts';
import { cancelTask, useLibrary } from '../../state/library.ts';
import type { RunningTask } from '../../state/library.ts';
import { loadInstalled } from '../../state/start.ts';
import { showPage } from '../../state/ui.ts';
import { bytesText, dateText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { Progress } from '../../ui/Progress.tsx';
import { ModelDetails } from './ModelDetails.tsx';

/** A base model goes on with a text; only an instructed one converses. */
export const isBase = (model: Model): boolean =>
  catalog.some((entry) => entry.repo === model.repo && entry.kind === 'base');

/** One line about a model and the button to use it; everything else when asked for. */
export function InstalledModel(props: { readonly model: Model; readonly onUpdate: (repo: string) => void }) {
  const { model, onUpdate } = props;
  const loaded = useEngine((state) => state.status?.state === 'ready' && state.status.model.source === model.id);
  const task = useLibrary((state) => state.tasks[model.id]);
  const error = useLibrary((state) => state.errors[model.id]);
  const [open, setOpen] = useState(false);
  const use = async (): Promise<void> => {
    if (!loaded) await loadInstalled(model.id);
    if (isBase(model)) showPage('completion');
    else if (loaded) showPage('chat');
  };
  return (
    <li className="item item-tall" aria-label={model.name}>
      <div className="item-words">
        <strong>
          {model.name}
          {loaded && <span className="tag">{strings.models.loaded}</span>}
        </strong>
        <span className="soft">
          <span className="figures">{bytesText(model.sizeBytes)}</span>
          {` · ${isBase(model) ? strings.models.base : strings.models.chat}`}
          {model.origin === 'imported' && ` · ${strings.models.imported}`}
          {` · ${model.verifiedAt === null ? strings.models.notVerified : strings.models.verified(dateText(model.verifiedAt))}`}
        </span>
      </div>
      <Button look="primary" aria-label={`${actionLabel(model, loaded)}: ${model.name}`} onClick={() => void use()}>
        {actionLabel(model, loaded)}
      </Button>
      {task !== undefined && <Task modelId={model.id} task={task} />}
      {error !== undefined && <Notice tone="bad">{error.message}</Notice>}
      <Report modelId={model.id} />
      <details className="item-details" open={open} onToggle={(toggle) => setOpen(toggle.currentTarget.open)}>
        <summary>{strings.library.details}</summary>
        {open && <ModelDetails model={model} loaded={loaded} onUpdate={onUpdate} />}
      </details>
    </li>
  );
}

function actionLabel(model: Model, loaded: boolean): string {
  if (!loaded) return strings.models.load;
  return isBase(model) ? strings.library.write : strings.library.chat;
}

function Task({ modelId, task }: { readonly modelId: string; readonly task: RunningTask }) {
  const { kind, format, progress } = task;
  const words = format === null ? strings.library.tasks[kind] : strings.library.making(format);
  const total = progress?.totalBytes ?? 0;
  return (
    <div className="task" role="status">
      <div className="task-line">
        <span>{words}</span>
        {progress !== null && total > 0 && (
          <span className="figures">{strings.download.progress(progress.doneBytes, total)}</span>
        )}
        <Button look="link" onClick={() => void cancelTask(modelId)}>
          {strings.library.stop}
        </Button>
      </div>
      <Progress label={words} share={progress !== null && total > 0 ? progress.doneBytes / total : null} />
    </div>
  );
}

function Report({ modelId }: { readonly modelId: string }) {
  const report = useLibrary((state) => state.reports[modelId]);
  if (report === undefined) return null;
  if (report.ok) {
    return (
      <p role="status" className="soft item-line">
        {strings.models.intact}
      </p>
    );
  }
  const damaged = report.files.filter((file) => !file.ok);
  return (
    <Notice tone="bad">
      {strings.library.damaged(damaged.length)}
      <ul className="damaged">
        {damaged.map((file) => (
          <li key={file.path}>
            <span className="figures">{file.path}</span> {file.problem}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
