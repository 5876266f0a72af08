/** Every word the page shows, in English here; another language is another object of this shape. */
import type { Language } from '../main/contract/domain.ts';
import { completionStrings, hubStrings, libraryStrings, tourStrings } from './libraryStrings.ts';
import { benchmarkStrings } from './benchmarkStrings.ts';
import { chatStrings } from './chatStrings.ts';
import { bytesText } from './format.ts';
import { german } from './german.ts';
import { language } from './language.ts';
import type { Translated } from './language.ts';
import { latencyStrings } from './latencyStrings.ts';
import { modelStrings } from './modelStrings.ts';

export const english = {
  app: { name: 'Nemoflash', tagline: 'Private, offline, fast' },

  common: {
    cancel: 'Cancel',
    close: 'Close',
    retry: 'Try again',
    save: 'Save',
    copy: 'Copy',
    copied: 'Copied',
    undo: 'Undo',
    dismiss: 'Dismiss',
    none: '–',
    loading: 'Loading',
    auto: 'Automatic',
    more: 'More actions',
  },

  rail: {
    label: 'Chats and pages',
    newChat: 'New chat',
    search: 'Search chats',
    clearSearch: 'Clear search',
    noHits: (query: string) => `Nothing found for “${query}”.`,
    noChats: 'Your chats will be listed here.',
    hide: 'Hide chats',
    show: 'Show chats',
    untitled: 'New chat',
    groups: { pinned: 'Pinned', today: 'Today', yesterday: 'Yesterday', week: 'Last 7 days', older: 'Older' },
    rename: 'Rename',
    pin: 'Pin',
    unpin: 'Unpin',
    remove: 'Delete',
    removed: (title: string) => `“${title}” was deleted.`,
    actions: (title: string) => `Actions for “${title}”`,
    titleField: 'Title of the chat',
    pages: {
      chat: 'Chat',
      completion: 'Completion',
      models: 'Models',
      dashboard: 'Latency',
      api: 'API',
      settings: 'Settings',
    },
    pagesLabel: 'Pages',
    generating: 'Answering',
  },

  header: {
    hideDrawer: 'Hide panel',
    showDrawer: 'Show panel',
    drawer: 'Panel',
    palette: 'Commands',
  },

  desktop: {
    title: 'This computer',
    tray: 'Stay in the tray when the window is closed',
    softwareRendering: 'Draw the window on the CPU',
    spellCheck: 'Check spelling',
    help: {
      tray: 'Answers and the local API go on. Quit from the tray or the menu.',
      softwareRendering: 'Leaves the memory of the GPU to the model. From the next start on.',
      spellCheck: 'Windows and Linux fetch a dictionary from Google once. From the next start on.',
    },
  },

  updates: {
    title: 'Updates',
    look: 'Look for new versions once a day',
    lookHelp:
      'Asks GitHub, where the releases are, and tells it nothing but this version. A new one is fetched, its signature is checked, and it is installed when you say so. The previous one is kept.',
    offline: 'Nemoflash is set to never use the network.',
    unsupported: 'This build does not update itself.',
    states: { unsupported: '', idle: 'Not looked yet.', checking: 'Looking…', current: 'This is the newest version.' },
    downloading: (version: string, share: string) => `Fetching version ${version}: ${share}`,
    ready: (version: string) => `Version ${version} is ready.`,
    check: 'Look now',
    install: 'Install and start again',
  },

  about: {
    safeMode: 'safe mode',
    diagnostics: 'Diagnostics',
    diagnosticsHelp:
      'Diagnostics hold versions, devices, settings and the last lines of the log, to paste into a report of a fault. No chat and no token is in them, and nothing is sent.',
    licences: 'Licences',
  },

  connection: {
    lost: 'The connection to Nemoflash was lost. It comes back by itself once Nemoflash runs again.',
    refused: 'This browser has no access. Open the link that Nemoflash printed when it started.',
  },

  ...modelStrings,

  badge: {
    gpu: 'GPU',
    cpu: 'CPU',
    lost: 'GPU lost',
    none: 'Idle',
    gpuTitle: (name: string) => `Runs on the GPU: ${name}`,
    cpuTitle: (name: string) => `Runs on the CPU: ${name}`,
    lostTitle: 'The GPU was lost. Nothing runs until you choose what to do.',
    noneTitle: 'No model is loaded.',
  },

  ...chatStrings,

  library: libraryStrings,
  tour: tourStrings,
  hub: hubStrings,
  completion: completionStrings,

  latency: latencyStrings,
  benchmark: benchmarkStrings,

  settings: {
    title: 'Settings',
    appearance: 'Appearance',
    language: 'Language',
    languages: { system: 'System', en: 'English', de: 'Deutsch' },
    theme: 'Theme',
    themes: { system: 'System', light: 'Light', dark: 'Dark' },
    engine: 'Engine',
    device: 'Device',
    deviceHelp: 'Automatic takes the GPU when there is one. Nothing changes device by itself later.',
    format: 'Weight format',
    formatHelp: 'Automatic takes the best that fits in memory.',
    context: 'Context length',
    contextHelp: 'Tokens a conversation may fill. More needs more memory. Applies at the next load.',
    chats: 'New chats',
    systemPrompt: 'System prompt for new chats',
    readAlong: 'Read while I type',
    readAlongHelp: 'The answer begins sooner after Enter; the computer works while you type. Off on battery.',
    storage: 'Storage',
    home: 'Everything is kept in',
    modelsFolder: 'Models are kept in',
    change: 'Change',
    noModelsFolder: 'the folder above',
    devices: 'Devices',
    noGpu: 'No GPU',
    memoryFree: (free: number, total: number) => `${bytesText(free)} of ${bytesText(total)} free`,
    network: 'Network',
    offline: 'Never use the network',
    offlineHelp: 'No request leaves this app while this is on. Chats never need the network.',
    endpoint: 'Hub address',
    endpointHelp: 'Address of a mirror. Empty uses the public hub.',
    about: 'About',
    version: (version: string) => `Version ${version}`,
    seconds: 'seconds',
  },

  palette: {
    title: 'Commands',
    placeholder: 'Type a command or the title of a chat',
    nothing: 'No command or chat has this name.',
    commands: {
      newChat: 'New chat',
      search: 'Search chats',
      focusComposer: 'Go to the message field',
      stop: 'Stop the answer',
      regenerate: 'Answer again',
      editLast: 'Edit the last question',
      copyLast: 'Copy the last answer',
      rawLast: 'Raw text of the last answer',
      tokensLast: 'Tokens of the last answer',
      toggleRail: 'Show or hide chats',
      toggleDrawer: 'Show or hide the panel',
      nextChat: 'Next chat',
      previousChat: 'Previous chat',
      chat: 'Go to the chat',
      models: 'Go to models',
      dashboard: 'Go to latency',
      api: 'Go to the local API',
      settings: 'Go to settings',
      palette: 'Commands',
      themeLight: 'Light theme',
      themeDark: 'Dark theme',
      themeSystem: 'Theme of the system',
      unload: 'Unload the model',
    },
    chat: 'Chat',
  },

  crash: {
    title: 'The page stopped drawing',
    body: 'Your chats are safe: they live outside the page. Reloading brings them back.',
    reload: 'Reload',
    details: 'Details',
  },
};

/** What every language has to say. */
export type Strings = Translated<typeof english>;

const inLanguage: Readonly<Record<Language, Strings>> = { en: english, de: german };

export const strings: Strings = inLanguage[language];
