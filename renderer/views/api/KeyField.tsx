import { useState } from 'react';

import { apiStrings } from '../../apiStrings.ts';
import { rotateKey, useApi } from '../../state/api.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { CopyButton } from '../../ui/CopyButton.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { masked } from './masked.ts';

/** The key, hidden until it is asked for, and a new one, which is asked twice for. */
export function KeyField() {
  const key = useApi((state) => state.key);
  const [shown, setShown] = useState(false);
  const [step, setStep] = useState<'none' | 'asked' | 'done'>('none');
  if (key === null) return null;
  return (
    <div className="field">
      <span className="field-label">{apiStrings.key}</span>
      <span className="api-line">
        <code className="path figures">{shown ? key : masked(key)}</code>
        <CopyButton label={apiStrings.copyKey} text={() => key} />
        <Button look="link" aria-pressed={shown} onClick={() => setShown(!shown)}>
          {shown ? apiStrings.hideKey : apiStrings.showKey}
        </Button>
        {step !== 'asked' && (
          <Button look="link" onClick={() => setStep('asked')}>
            {apiStrings.rotate}
          </Button>
        )}
      </span>
      <p className="field-help">{apiStrings.keyHelp}</p>
      {step === 'asked' && (
        <Notice
          tone="warn"
          actions={
            <>
              <Button look="danger" onClick={() => void rotateKey().then((done) => setStep(done ? 'done' : 'none'))}>
                {apiStrings.rotateDo}
              </Button>
              <Button onClick={() => setStep('none')}>{strings.common.cancel}</Button>
            </>
          }
        >
          {apiStrings.rotateAsk}
        </Notice>
      )}
      {step === 'done' && <Notice tone="plain">{apiStrings.rotated}</Notice>}
    </div>
  );
}
