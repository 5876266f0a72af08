/** What to paste into a report of a fault: versions, devices, settings, the last lines of the log. No chat, no token. */
import { cpus, homedir, release, totalmem } from 'node:os';

import type { AppInfo, DeviceReport, EngineStatus, Settings } from './contract/domain.ts';
import { crashSummaries, tailOf } from './crashReports.ts';

const logLines = 200;

interface Surroundings {
  readonly info: AppInfo;
  readonly settings: Settings;
  readonly status: EngineStatus;
  readonly devices: DeviceReport | null;
  readonly logFile: string;
}

/** Folders name their owner, and a token may stand where nobody expects it. */
function scrub(text: string): string {
  return text
    .replaceAll(homedir(), '~')
    .replace(/\bhf_[A-Za-z0-9]{6,}/g, '[token]')
    .replace(/\bnf-[\w-]{16,}/g, '[key]')
    .replace(/\/\/[^/\s@"]+@/g, '//[credentials]@');
}

/** Numbers and choices; of texts and addresses only whether there are any. */
function describeSettings({ systemPrompt, sampling, hub, acceptedLicences, ...plain }: Settings): object {
  const { stop, ...numbers } = sampling;
  return {
    ...plain,
    systemPromptChars: systemPrompt.length,
    sampling: { ...numbers, stopStrings: stop.length },
    hub: {
      offline: hub.offline,
      mirror: hub.endpoint !== null,
      proxy: hub.proxy !== null,
      ownCertificates: hub.caFile !== null,
    },
    acceptedLicences: acceptedLicences.length,
  };
}

function describeStatus(status: EngineStatus): string {
  switch (status.state) {
    case 'ready': {
      const { name, device, deviceName, format, contextPositions, threads } = status.model;
      return `ready: ${name}, ${format}, ${device} ${deviceName}, ${contextPositions} positions, ${threads} threads`;
    }
    case 'empty':
      return status.lastError === null ? 'empty' : `empty after ${status.lastError.code}`;
    case 'lost':
      return `lost after ${status.error.code}`;
    case 'loading':
      return `loading, ${status.phase}`;
  }
}

export function describeApp({ info, settings, status, devices, logFile }: Surroundings): string {
  const { electron, chrome, node } = process.versions as Record<string, string | undefined>;
  const [cpu] = cpus();
  const sections: readonly (readonly [string, readonly string[]])[] = [
    [
      'App',
      [
        `Nemoflash ${info.version}, ${info.shell} shell${info.safeMode ? ', safe mode' : ''}`,
        `${process.platform} ${process.arch} ${release()}`,
        `Node ${node}, Electron ${electron ?? 'none'}, Chromium ${chrome ?? 'none'}`,
        `${cpu?.model ?? 'unknown CPU'}, ${cpus().length} threads, ${Math.round(totalmem() / 2 ** 20)} MiB`,
      ],
    ],
    ['Engine', [describeStatus(status), ...(devices === null ? [] : [JSON.stringify(devices)])]],
    ['Settings', [JSON.stringify(describeSettings(settings))]],
    ['Notices', info.notices],
    ['Crashes', crashSummaries(logFile)],
    ['Log', tailOf(logFile, logLines)],
  ];
  return scrub(sections.map(([title, lines]) => [`# ${title}`, ...lines].join('\n')).join('\n\n'));
}
