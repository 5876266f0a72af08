import type { GenerationStats } from '../../../main/contract/domain.ts';
import type { AnswerRecord } from '../../../main/contract/metrics.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { saveFile } from '../../ui/clipboard.ts';
import type { StripPainter } from './stripPainter.ts';

/** An answer's figures as files: everything, the gaps alone, the strip as a picture. */
export function Exports(props: {
  readonly messageId: string;
  readonly stats: GenerationStats;
  readonly record: AnswerRecord | null;
  readonly gaps: Float64Array;
  readonly painter: () => StripPainter | null;
}) {
  const { messageId, stats, record, gaps, painter } = props;
  const name = `nemoflash-${messageId}`;
  return (
    <div className="row" role="group" aria-label={strings.latency.exportLabel}>
      <Button
        onClick={() => {
          const content = { stats, record, itlNs: [...gaps] };
          saveFile(`${name}.json`, new Blob([JSON.stringify(content, null, 2)], { type: 'application/json' }));
        }}
      >
        {strings.latency.exportJson}
      </Button>
      <Button
        onClick={() => {
          const lines = ['token,itl_ns', ...[...gaps].map((gap, index) => `${index + 2},${gap}`)];
          saveFile(`${name}.csv`, new Blob([`${lines.join('\n')}\n`], { type: 'text/csv' }));
        }}
      >
        {strings.latency.exportCsv}
      </Button>
      <Button
        onClick={() =>
          painter()
            ?.image()
            .toBlob((image) => {
              if (image !== null) saveFile(`${name}.png`, image);
            })
        }
      >
        {strings.latency.exportPng}
      </Button>
    </div>
  );
}
