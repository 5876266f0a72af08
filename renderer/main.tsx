import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import './tokens.css';
import './base.css';
import './ui/button.css';
import './ui/field.css';
import './ui/slider.css';
import './ui/choice.css';
import './ui/feedback.css';
import './ui/dialog.css';
import './views/frame.css';
import './views/rail.css';
import './views/header.css';
import './views/drawer.css';
import './views/overlay.css';
import './views/chat.css';
import './views/turn.css';
import './views/composer.css';
import './views/card.css';
import './views/inspector.css';
import './views/pages.css';
import './views/latency/dashboard.css';
import './views/latency/charts.css';
import './views/latency/tables.css';
import './views/latency/anatomy.css';
import './views/latency/gauges.css';
import './views/latency/startup.css';
import './views/latency/benchmark.css';
import './views/api/api.css';
import './views/markdown/prose.css';
import './forced.css';

import { language } from './language.ts';
import { start } from './state/start.ts';
import { App } from './views/App.tsx';
import { fetchLater } from './views/pages.ts';

document.documentElement.lang = language;
start(fetchLater);
const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
