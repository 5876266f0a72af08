/** Words of the library, of the hub's settings of the completion view and of the first steps. */
import { bytesText, count } from './format.ts';

export const libraryStrings = {
  details: 'Details',
  repo: 'Repository',
  revision: 'Revision',
  size: 'On disk',
  verified: 'Verified',
  unknown: 'not known',
  here: 'on this computer',
  chat: 'Go to the chat',
  write: 'Write',
  repair: 'Repair',
  move: 'Move',
  moveField: 'Folder to move the model to',
  checkUpdate: 'Check for update',
  newest: 'This is the newest revision.',
  updateAvailable: (revision: string) => `A newer revision, ${revision}, is on the hub. Nothing is fetched by itself.`,
  forget: 'Remove from list',
  loadedHelp: 'Unload the model to move, repair or delete it.',
  removed: (name: string, freed: number) =>
    `${name} was deleted. Its ${bytesText(freed)} are free once Nemoflash closes, or sooner when a download needs them.`,
  forgotten: (name: string) => `${name} was removed from the list. Its files stay where they are.`,
  damaged: (n: number) =>
    n === 1
      ? 'One file is not as it should be. Repair fetches what is wrong with it again.'
      : `${count(n)} files are not as they should be. Repair fetches what is wrong with them again.`,
  tasks: {
    verify: 'Verifying the files',
    repair: 'Repairing',
    move: 'Moving, with every file checked',
    makeFormat: 'Converting the weights',
  },
  making: (format: string) => `Converting the weights to ${format}`,
  stop: 'Stop',
  formats: (name: string) => `Formats of ${name}`,
  table: {
    format: 'Format',
    needs: { cuda: 'GPU memory', cpu: 'Memory' },
    speed: 'Speed here',
    kept: 'Ready on disk',
  },
  tooBig: 'does not fit',
  original: 'the model’s own files',
  make: 'Make ready',
  goOn: 'Go on',
  stoppedAt: (size: string) => `${size} made`,
  otherRepo: 'Another repository',
  otherRepoHelp: 'Any model of the Nemotron-Flash architecture on the hub.',
  look: 'Look it up',
} as const;

export const hubStrings = {
  endpoint: 'Hub address',
  endpointHelp: 'Address of a mirror. Empty: HF_ENDPOINT, else the public hub.',
  token: 'Access token',
  tokenHelp: 'For models whose owner grants access. It is sent to the hub and nowhere else.',
  tokenSources: {
    none: 'No token.',
    environment: 'The token in HF_TOKEN is used.',
    run: 'A token is set until Nemoflash ends: this system has no secret store.',
    stored: 'A token is kept in the system’s secret store.',
  },
  tokenSave: 'Save token',
  tokenForget: 'Forget token',
  proxy: 'Proxy',
  proxyHelp: 'http://user:password@host:port. Empty: HTTPS_PROXY and HTTP_PROXY, else none.',
  noProxy: 'Hosts without proxy',
  noProxyHelp: 'Names, separated by commas.',
  caFile: 'Extra certificates',
  caFileHelp: 'A PEM file with certificates to trust besides the system’s.',
  invalidAddress: 'An address begins with http:// or https://.',
  test: 'Test',
  testOne: (setting: string) => `Test: ${setting}`,
  testAll: 'Test connection',
  testing: 'Testing',
  findings: {
    unset: 'Nothing is set here, so there is nothing to test.',
    answered: (endpoint: string, ms: number) => `${endpoint} answered in ${count(ms)} ms.`,
    account: (user: string) => `The token belongs to ${user}.`,
    proxied: (endpoint: string, ms: number) => `The proxy leads to ${endpoint} (${count(ms)} ms).`,
    direct: (endpoint: string) => `${endpoint} is reached without the proxy.`,
    certificates: (n: number, endpoint: string) =>
      n === 1
        ? `One certificate is read, and ${endpoint} is trusted.`
        : `${count(n)} certificates are read, and ${endpoint} is trusted.`,
  },
  requests: 'Requests made',
  requestsHelp: 'Everything this app has asked of the network, newest first. Names of hosts and sizes, no contents.',
  requestsNone: 'No request was made.',
  refresh: 'Refresh',
  columns: { when: 'When', host: 'Host', purpose: 'Purpose', bytes: 'Received', result: 'Result' },
  purposes: {
    describe: 'model and its commit',
    list: 'list of files',
    card: 'licence and card',
    locate: 'address of a file',
    file: 'part of a file',
    test: 'connection test',
    update: 'new version of Nemoflash',
    dictionary: 'dictionary for spelling',
  },
  shown: (n: number, total: number) => `${count(n)} of ${count(total)} shown`,
  showAll: 'Show all',
} as const;

export const tourStrings = {
  label: (step: number, steps: number) => `First steps, ${step} of ${steps}`,
  count: (step: number, steps: number) => `${step} of ${steps}`,
  titles: { model: 'This is what answers', branch: 'No answer is final', keys: 'Everything has a key' },
  texts: {
    model:
      'The model, its weight format and the device it runs on are always in view. Everything stays on this computer.',
    branch: 'Edit, regenerate or branch at any message. Every version is kept, and only what is new is read.',
    keys: (palette: string, latency: string) =>
      `${palette} finds every command. ${latency} shows where each millisecond of an answer went.`,
  },
  next: 'Next',
  skip: 'Skip',
  done: 'Done',
  again: 'Show the first steps',
} as const;

export const completionStrings = {
  title: 'Completion',
  label: 'Text to go on with',
  placeholder: 'Begin a text; the model goes on with it',
  help: 'A base model continues a text rather than answer questions.',
  go: 'Continue the text',
  stop: 'Stop',
  undo: 'Take back the last continuation',
  noModel: 'Load a base model to write with it.',
  models: 'Go to models',
} as const;
