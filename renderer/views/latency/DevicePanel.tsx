import { useEffect, useState } from 'react';

import type { GpuSample, SystemSample } from '../../../main/contract/metrics.ts';
import { request } from '../../bridge.ts';
import { selectModel, useEngine } from '../../state/engine.ts';
import { bytesText, count } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Sparkline } from '../../ui/Sparkline.tsx';
import { Fact, Facts } from '../../ui/Fact.tsx';

const everyMs = 1000;
const keptSamples = 60;

/** The last minute, sampled only while this is on a page that can be seen. */
function useSamples(): readonly SystemSample[] {
  const [samples, setSamples] = useState<readonly SystemSample[]>([]);
  useEffect(() => {
    let current = true;
    let timer: ReturnType<typeof setInterval> | undefined;
    const take = (): void => {
      request('metrics.sample', {}).then(
        (sample) => current && setSamples((before) => [...before.slice(1 - keptSamples), sample]),
        // The connection's own notice says why.
        () => undefined,
      );
    };
    const follow = (): void => {
      clearInterval(timer);
      if (document.hidden) return;
      take();
      timer = setInterval(take, everyMs);
    };
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      current = false;
      clearInterval(timer);
      document.removeEventListener('visibilitychange', follow);
    };
  }, []);
  return samples;
}

/** Memory, processor, GPU sensors, and how far the context of the answer has grown. */
export function DevicePanel({ usedPositions }: { readonly usedPositions: number | null }) {
  const samples = useSamples();
  const model = useEngine(selectModel);
  const now = samples.at(-1);
  const before = samples.at(-2);
  const cores =
    now === undefined || before === undefined || now.at <= before.at
      ? null
      : (now.cpuNs - before.cpuNs) / (1e6 * (now.at - before.at));
  return (
    <Facts>
      {model !== null && usedPositions !== null && (
        <>
          <Fact term={strings.latency.context}>{strings.latency.contextOf(usedPositions, model.contextPositions)}</Fact>
          <Fact term={strings.latency.sequenceMemory}>
            {bytesText(model.stateBytes + usedPositions * model.kvBytesPerPosition)}
          </Fact>
        </>
      )}
      <Fact term={strings.latency.host}>
        <Recent values={samples.map(({ residentBytes }) => residentBytes)} />
        {now === undefined ? strings.common.none : bytesText(now.residentBytes)}
      </Fact>
      <Fact term={strings.latency.hostFree}>
        {now === undefined ? strings.common.none : `${bytesText(now.hostFreeBytes)} / ${bytesText(now.hostTotalBytes)}`}
      </Fact>
      <Fact term={strings.latency.cpu}>
        {cores === null ? strings.common.none : strings.latency.cores(cores.toFixed(2))}
      </Fact>
      {now !== undefined && now.gpu !== null && <GpuFacts gpu={now.gpu} samples={samples} />}
      {now !== undefined && now.gpu === null && (
        <Fact term={strings.latency.noGpu}>{now.gpuReason ?? strings.latency.notTold}</Fact>
      )}
    </Facts>
  );
}

function GpuFacts({ gpu, samples }: { readonly gpu: GpuSample; readonly samples: readonly SystemSample[] }) {
  const or = (value: number | null, text: (known: number) => string): string =>
    value === null ? strings.latency.notTold : text(value);
  const { powerLimitW, memoryTotalBytes, throttle } = gpu;
  return (
    <>
      <Fact term={strings.latency.gpuMemory}>
        {or(gpu.memoryUsedBytes, (used) =>
          memoryTotalBytes === null ? bytesText(used) : `${bytesText(used)} / ${bytesText(memoryTotalBytes)}`,
        )}
      </Fact>
      <Fact term={strings.latency.utilisation}>{or(gpu.utilisationPercent, (percent) => `${count(percent)} %`)}</Fact>
      <Fact term={strings.latency.clock}>
        <Recent values={samples.map((sample) => sample.gpu?.smClockMhz ?? 0)} />
        {or(gpu.smClockMhz, (mhz) => `${count(mhz)} MHz`)}
      </Fact>
      <Fact term={strings.latency.memoryClock}>{or(gpu.memoryClockMhz, (mhz) => `${count(mhz)} MHz`)}</Fact>
      <Fact term={strings.latency.temperature}>{or(gpu.temperatureC, (degrees) => `${count(degrees)} °C`)}</Fact>
      <Fact term={strings.latency.power}>
        <Recent values={samples.map((sample) => sample.gpu?.powerW ?? 0)} />
        {or(gpu.powerW, (watt) =>
          powerLimitW === null ? `${count(watt)} W` : `${count(watt)} / ${count(powerLimitW)} W`,
        )}
      </Fact>
      <Fact term={strings.latency.throttle}>
        {throttle === null
          ? strings.latency.notTold
          : throttle.length === 0
            ? strings.latency.throttleNothing
            : throttle.join(', ')}
      </Fact>
    </>
  );
}

function Recent({ values }: { readonly values: readonly number[] }) {
  return (
    <span className="fact-spark">
      <Sparkline values={values} />
    </span>
  );
}
