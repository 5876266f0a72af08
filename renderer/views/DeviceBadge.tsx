import { useEngine } from '../state/engine.ts';
import { strings } from '../strings.ts';

type Tone = 'gpu' | 'cpu' | 'lost' | 'none';

/** Where the model runs: a word, a shape and a colour, so that none of them is needed alone. */
export function DeviceBadge() {
  const status = useEngine((state) => state.status);
  let tone: Tone = 'none';
  let title: string = strings.badge.noneTitle;
  if (status?.state === 'lost') {
    tone = 'lost';
    title = strings.badge.lostTitle;
  } else if (status?.state === 'ready') {
    tone = status.model.device === 'cuda' ? 'gpu' : 'cpu';
    title =
      tone === 'gpu'
        ? strings.badge.gpuTitle(status.model.deviceName)
        : strings.badge.cpuTitle(status.model.deviceName);
  }
  return (
    <span className={`badge badge-${tone}`} title={title}>
      <span className="badge-dot" aria-hidden="true" />
      {strings.badge[tone]}
    </span>
  );
}
