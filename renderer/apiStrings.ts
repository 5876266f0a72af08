/** The words of the API page. */
import { count } from './format.ts';
import { germanApi } from './germanApi.ts';
import { language } from './language.ts';
import type { Translated } from './language.ts';

export const englishApi = {
  title: 'Local API',
  serve: 'Let programs on this computer use the model',
  serveHelp:
    'They speak to it as they would to OpenAI’s API. Nothing outside this computer can reach it, and nobody without the key.',
  byShell: 'Served by “nemoflash serve”, beside this page, for as long as that runs.',
  on: 'On',
  off: 'Off',
  failed: 'Not on',
  address: 'Address',
  addressHelp: 'What clients call the base URL.',
  copyAddress: 'Copy the address',
  port: 'Port',
  portHelp: (min: number, max: number) => `A number from ${min} to ${max}.`,
  tryPort: (port: number) => `Use port ${port}`,
  noModel: 'No model is loaded. Requests are refused until one is.',
  chooseModel: 'Choose a model',
  key: 'Key',
  keyHelp: 'Clients send it as “Authorization: Bearer …”. Kept in a file that only you can read.',
  showKey: 'Show',
  hideKey: 'Hide',
  copyKey: 'Copy the key',
  rotate: 'New key',
  rotateAsk: 'Programs that hold the old key are refused from then on. Answers under way are finished.',
  rotateDo: 'Replace the key',
  rotated: 'The key is new. Give it to your programs.',
  snippets: 'Ready to run',
  snippetsHelp: 'The copy holds your key.',
  languages: { curl: 'curl', python: 'Python', javascript: 'JavaScript' },
  copySnippet: 'Copy, with the key',
  requests: 'Requests',
  noRequests: 'Requests will be listed here while they run, and for a while after.',
  columns: { at: 'Began', path: 'Request', phase: 'State', prompt: 'Read', output: 'Written', seconds: 'Took' },
  phases: { waiting: 'Waiting', reading: 'Reading', writing: 'Writing' },
  tokens: (n: number) => (n === 0 ? '–' : count(n)),
  seconds: (ms: number) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`),
  ended: (status: number) => {
    if (status === 200) return 'Answered';
    if (status === 499) return 'Client left';
    return `${status >= 500 ? 'Failed' : 'Refused'}, ${status}`;
  },
} as const;

export type ApiStrings = Translated<typeof englishApi>;

export const apiStrings: ApiStrings = { en: englishApi, de: germanApi }[language];
