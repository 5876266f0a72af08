import { useCallback, useMemo, useRef, useState } from 'react';

import type { GenerationStats, Percentiles } from '../../../main/contract/domain.ts';
import type { AnswerRecord, Roofline as Limits } from '../../../main/contract/metrics.ts';
import { useChat } from '../../state/chat.ts';
import { runFor } from '../../state/chatReducers.ts';
import type { ChatState } from '../../state/chatReducers.ts';
import { selectModel, useEngine } from '../../state/engine.ts';
import { exactPercentiles } from '../../state/histogram.ts';
import { seenTimings, useLatency } from '../../state/latency.ts';
import { useUi } from '../../state/ui.ts';
import { strings } from '../../strings.ts';
import { SelectField } from '../../ui/Field.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { useGaps, useInspected } from '../inspected.ts';
import { Anatomy } from './Anatomy.tsx';
import { BigFigures } from './BigFigures.tsx';
import { DevicePanel } from './DevicePanel.tsx';
import { Exports } from './Exports.tsx';
import { GapHistogram } from './GapHistogram.tsx';
import { ItlStrip } from './ItlStrip.tsx';
import { SeriesTable, StatsTable } from './LatencyFigures.tsx';
import { Microscope } from './Microscope.tsx';
import { Panel } from './Panel.tsx';
import { Roofline } from './Roofline.tsx';
import { WorstTokens } from './WorstTokens.tsx';
import type { StripPainter } from './stripPainter.ts';
import { useAsked } from './useAsked.ts';

/** One answer under the instruments: the running one, the chosen one, or the newest. */
export function LiveTab() {
  const message = useInspected();
  if (message === null) {
    return (
      <div className="stack">
        <p className="soft">{strings.latency.noAnswer}</p>
        <Panel title={strings.latency.device} help={strings.latency.deviceHelp}>
          <DevicePanel usedPositions={null} />
        </Panel>
      </div>
    );
  }
  return <Answer key={message.id} messageId={message.id} stats={message.stats} />;
}

function Answer({ messageId, stats }: { readonly messageId: string; readonly stats: GenerationStats | null }) {
  const live = useChat((state) => runFor(state, messageId) !== null);
  const records = useLatency((state) => state.records);
  const record = useAsked('metrics.answer', live ? null : { messageId }, records).value;
  const finished = live ? null : (stats ?? record?.stats ?? null);
  const { gaps, error } = useGaps(messageId, live, finished);
  const [chosen, setChosen] = useState<number | null>(null);
  const painter = useRef<StripPainter | null>(null);
  const keep = useCallback((made: StripPainter | null) => {
    painter.current = made;
  }, []);
  const limits = useLimits(record, live, finished);
  const others = useAnswers().flatMap((answer) => (answer.stats === null ? [] : [answer.stats]));
  const worst = record?.worst ?? [];
  return (
    <>
      <div className="dash-head">
        <AnswerChoice messageId={messageId} />
        {finished !== null && gaps !== null && (
          <Exports messageId={messageId} stats={finished} record={record} gaps={gaps} painter={() => painter.current} />
        )}
      </div>
      <BigFigures messageId={messageId} stats={finished} others={others} limits={limits.limits} />
      <Panel title={strings.latency.chart} help={strings.latency.chartHelp}>
        {error !== null ? (
          <Notice tone="warn">{error.message}</Notice>
        ) : (
          <ItlStrip {...{ messageId, live, gaps, worst, chosen }} onChoose={setChosen} onPainter={keep} />
        )}
      </Panel>
      <div className="dash-columns">
        <Panel title={strings.latency.worst}>
          <WorstTokens worst={worst} medianNs={finished?.itlNs?.p50 ?? null} chosen={chosen} onChoose={setChosen} />
        </Panel>
        <div className="dash-stack">
          <Panel title={strings.latency.histogram}>
            <Spread messageId={messageId} live={live} gaps={gaps} />
          </Panel>
          <Panel title={strings.latency.series} help={strings.latency.seriesHelp}>
            <SeriesTable messageId={messageId} stats={finished} record={record} />
          </Panel>
        </div>
      </div>
      <Panel title={strings.latency.anatomy} help={strings.latency.anatomyHelp}>
        <p className="field-help panel-lead">{strings.latency.anatomyAlways}</p>
        <Anatomy record={record} limits={limits.limits} />
      </Panel>
      <div className="dash-columns">
        <div className="dash-stack">
          <Panel title={strings.latency.roofline} help={strings.latency.rooflineHelp}>
            <LiveRoofline messageId={messageId} stats={finished} {...limits} />
          </Panel>
          {finished !== null && (
            <Panel title={strings.latency.figures}>
              <StatsTable stats={finished} ttstNs={record?.ttstNs ?? null} />
            </Panel>
          )}
        </div>
        <Panel title={strings.latency.device} help={strings.latency.deviceHelp}>
          <Machine messageId={messageId} stats={finished} />
        </Panel>
      </div>
      <Panel title={strings.latency.microscope}>
        <Microscope bytesPerSecond={limits.limits?.limits?.bytesPerSecond ?? null} />
      </Panel>
    </>
  );
}

interface AnswerEntry {
  readonly id: string;
  readonly question: string;
  readonly stats: GenerationStats | null;
}

function answersOf({ open }: ChatState): readonly AnswerEntry[] {
  if (open === null) return [];
  return open.path.flatMap((id) => {
    const message = open.tree.byId[id];
    if (message === undefined || message.role !== 'assistant') return [];
    const question = message.parentId === null ? '' : (open.tree.byId[message.parentId]?.content ?? '');
    return [{ id, question, stats: message.stats }];
  });
}

/** The answers of the conversation on display, oldest first. New only when the conversation is. */
function useAnswers(): readonly AnswerEntry[] {
  const open = useChat((state) => state.open);
  return useMemo(() => answersOf({ open } as ChatState), [open]);
}

const labelChars = 48;

function AnswerChoice({ messageId }: { readonly messageId: string }) {
  const answers = useAnswers();
  const options = answers.map(({ id, question }, index) => {
    const words = question.replace(/\s+/g, ' ').slice(0, labelChars);
    return { value: id, label: strings.latency.answer(index + 1, words) };
  });
  if (!answers.some(({ id }) => id === messageId)) options.push({ value: messageId, label: strings.latency.elsewhere });
  return (
    <SelectField
      label={strings.latency.pick}
      value={messageId}
      options={options}
      onChange={(id) => useUi.setState({ inspectedId: id })}
    />
  );
}

function Spread(props: { readonly messageId: string; readonly live: boolean; readonly gaps: Float64Array | null }) {
  const { messageId, live, gaps } = props;
  const version = useLatency((state) => (live ? state.version : 0));
  const series = live && version >= 0 ? seenTimings(messageId)?.itlNs : undefined;
  const shown = live ? (series?.values() ?? null) : gaps;
  const spread: Percentiles | null = live
    ? (series?.histogram.percentiles() ?? null)
    : gaps === null
      ? null
      : exactPercentiles(gaps);
  return <GapHistogram gaps={shown ?? new Float64Array(0)} spread={spread} />;
}

/** Positions in the cache halfway through the answer, where its median gap is. */
function middleOf(stats: GenerationStats | null, metaTokens: number): number {
  if (stats === null) return metaTokens;
  return metaTokens + stats.promptTokens + Math.round(stats.outputTokens / 2);
}

interface KnownLimits {
  readonly limits: Limits | null;
  readonly why: string;
}

/** What the loaded model must move and its device can; not for an answer that another one gave. */
function useLimits(record: AnswerRecord | null, live: boolean, stats: GenerationStats | null): KnownLimits {
  const model = useEngine(selectModel);
  const records = useLatency((state) => state.records);
  const environment = useAsked('metrics.overview', {}, records).value?.environment ?? null;
  const isOurs = live || (record !== null && record.environment === environment?.hash);
  const asks = model !== null && isOurs;
  const contextPositions = middleOf(stats, model?.metaTokens ?? 0);
  const limits = useAsked('metrics.roofline', asks ? { contextPositions } : null, live ? 0 : records).value;
  const why = model === null ? strings.latency.rooflineNoModel : strings.latency.rooflineOther;
  return { limits, why: asks || record === null ? strings.common.loading : why };
}

function LiveRoofline(props: KnownLimits & { readonly messageId: string; readonly stats: GenerationStats | null }) {
  const { messageId, stats, limits, why } = props;
  const running = useLatency((state) => state.live[messageId]?.itlNs?.p50 ?? null);
  const reading = useChat((state) => runFor(state, messageId)?.prefill ?? null);
  const readTokensPerSecond =
    stats !== null
      ? perSecond(stats.promptTokens - stats.reusedTokens, stats.prefillNs)
      : reading === null
        ? null
        : perSecond(reading.doneTokens, reading.elapsedNs);
  const itlNs = stats === null ? running : (stats.itlNs?.p50 ?? null);
  return <Roofline itlNs={itlNs} readTokensPerSecond={readTokensPerSecond} roofline={limits} why={why} />;
}

const perSecond = (count: number, ns: number): number | null => (count > 0 && ns > 0 ? (1e9 * count) / ns : null);

function Machine({ messageId, stats }: { readonly messageId: string; readonly stats: GenerationStats | null }) {
  const metaTokens = useEngine((state) => selectModel(state)?.metaTokens ?? 0);
  const written = useLatency((state) => state.live[messageId]?.tokens ?? 0);
  const prefill = useChat((state) => runFor(state, messageId)?.prefill ?? null);
  const read = prefill === null ? null : prefill.reusedTokens + prefill.doneTokens;
  const used = stats === null ? (read === null ? null : read + written) : stats.promptTokens + stats.outputTokens;
  return <DevicePanel usedPositions={used === null ? null : metaTokens + used} />;
}
