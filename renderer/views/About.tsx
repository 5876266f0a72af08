import { useState } from 'react';

import { request } from '../bridge.ts';
import { errorInfo } from '../state/errors.ts';
import { newChat } from '../state/chat.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { showPage } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Dialog } from '../ui/Dialog.tsx';
import { Notice } from '../ui/Notice.tsx';
import { copyText } from '../ui/clipboard.ts';

const showTour = async (): Promise<void> => {
  await newChat();
  showPage('chat');
  await updateSettings({ tourSeen: false });
};

/** Which Nemoflash this is, whose work is in it, and what to copy when something is wrong. */
export function About() {
  const info = useSettings((state) => state.info);
  const [shown, setShown] = useState<{ readonly title: string; readonly text: string } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const show = async (title: string, ask: Promise<{ readonly text: string }>): Promise<void> => {
    setProblem(null);
    try {
      setShown({ title, text: (await ask).text });
    } catch (thrown) {
      setProblem(errorInfo(thrown).message);
    }
  };
  return (
    <>
      <p>
        {strings.app.name} · {strings.settings.version(info?.version ?? strings.common.none)}
        {info?.safeMode === true && ` · ${strings.about.safeMode}`}
      </p>
      <div className="row">
        <Button onClick={() => void show(strings.about.diagnostics, request('app.diagnostics', {}))}>
          {strings.about.diagnostics}
        </Button>
        <Button onClick={() => void show(strings.about.licences, request('app.licences', {}))}>
          {strings.about.licences}
        </Button>
      </div>
      <p className="field-help">{strings.about.diagnosticsHelp}</p>
      <div>
        <Button look="link" onClick={() => void showTour()}>
          {strings.tour.again}
        </Button>
      </div>
      {problem !== null && <Notice tone="bad">{problem}</Notice>}
      <Dialog
        open={shown !== null}
        label={shown?.title ?? strings.settings.about}
        className="dialog-text"
        onClose={() => setShown(null)}
      >
        {shown !== null && <TextDialog {...shown} close={() => setShown(null)} />}
      </Dialog>
    </>
  );
}

function TextDialog(props: { readonly title: string; readonly text: string; readonly close: () => void }) {
  const { title, text, close } = props;
  const [copied, setCopied] = useState(false);
  return (
    <>
      <h2 className="dialog-title">{title}</h2>
      <pre className="dialog-pre scroll" tabIndex={0}>
        {text}
      </pre>
      <div className="dialog-actions">
        <Button onClick={close}>{strings.common.close}</Button>
        <Button look="primary" onClick={() => void copyText(text).then(setCopied)}>
          {copied ? strings.common.copied : strings.common.copy}
        </Button>
      </div>
    </>
  );
}
