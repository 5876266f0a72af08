import { catalog } from '../../main/contract/domain.ts';
import type { DownloadStatus } from '../../main/contract/domain.ts';
import { cancelDownload, pauseDownload, resumeDownload } from '../state/models.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Progress } from '../ui/Progress.tsx';

/** One bar, speed, time left, pause. A download that stands still says why. */
export function DownloadProgress({ status }: { readonly status: DownloadStatus }) {
  const { repo, state, doneBytes, totalBytes, bytesPerSecond, etaSeconds, reason } = status;
  const name = catalog.find((entry) => entry.repo === repo)?.name ?? repo;
  const moving = state === 'running' || state === 'waiting' || state === 'verifying';
  return (
    <section className="download" aria-label={strings.download.label(name)}>
      <div className="download-head">
        <strong>{name}</strong>
        <span className="soft">{strings.download.states[state]}</span>
      </div>
      <Progress label={strings.download.label(name)} share={totalBytes > 0 ? doneBytes / totalBytes : null} />
      <div className="download-foot">
        <span className="figures">
          {strings.download.progress(doneBytes, totalBytes)}
          {state === 'running' && bytesPerSecond !== null && ` · ${strings.download.speed(bytesPerSecond)}`}
          {state === 'running' && etaSeconds !== null && ` · ${strings.download.left(etaSeconds)}`}
        </span>
        <span className="row">
          {moving && state !== 'verifying' && (
            <Button onClick={() => void pauseDownload(repo)}>{strings.download.pause}</Button>
          )}
          {!moving && state !== 'done' && (
            <Button look="primary" onClick={() => void resumeDownload(repo)}>
              {strings.download.resume}
            </Button>
          )}
          <Button onClick={() => void cancelDownload(repo)}>{strings.download.cancel}</Button>
        </span>
      </div>
      {reason !== null && (
        <p className={state === 'failed' ? 'field-error' : 'soft'} role="status">
          {reason.message}
        </p>
      )}
    </section>
  );
}
