import { catalog } from '../../main/contract/domain.ts';
import type { DownloadStatus } from '../../main/contract/domain.ts';
import type { ErrorCode } from '../../main/contract/errors.ts';
import { cancelDownload, pauseDownload, resumeDownload } from '../state/models.ts';
import { showPage } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Progress } from '../ui/Progress.tsx';

/** What is mended on the settings page. */
const inSettings = new Set<ErrorCode>(['HUB_UNAUTHORISED', 'PROXY', 'CERTIFICATE', 'OFFLINE']);

/** One bar, speed, time left, pause. A download that stands still says why. `inCard`: the name stands above already. */
export function DownloadProgress(props: { readonly status: DownloadStatus; readonly inCard?: boolean }) {
  const { status, inCard = false } = props;
  const { repo, state, doneBytes, totalBytes, bytesPerSecond, etaSeconds, reason } = status;
  const name = catalog.find((entry) => entry.repo === repo)?.name ?? repo;
  const moving = state === 'running' || state === 'waiting' || state === 'verifying';
  return (
    <section className={inCard ? 'download download-bare' : 'download'} aria-label={strings.download.label(name)}>
      <div className="download-head">
        {inCard ? (
          <strong>{strings.download.states[state]}</strong>
        ) : (
          <>
            <strong>{name}</strong>
            <span className="soft">{strings.download.states[state]}</span>
          </>
        )}
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
          <Button aria-label={strings.download.cancel} onClick={() => void cancelDownload(repo)}>
            {strings.common.cancel}
          </Button>
        </span>
      </div>
      {reason !== null && (
        <p className={state === 'failed' ? 'field-error' : 'soft'} role="status">
          {reason.message}{' '}
          {inSettings.has(reason.code) && (
            <Button look="link" onClick={() => showPage('settings')}>
              {strings.download.settings}
            </Button>
          )}
        </p>
      )}
    </section>
  );
}
