import { useEffect, useState } from 'react';

import { strings } from '../strings.ts';
import { IconButton } from './Button.tsx';
import { copyText } from './clipboard.ts';

const shownMs = 1500;

/** Copies what `text` returns at the moment of the click. */
export function CopyButton({ label, text }: { readonly label: string; readonly text: () => string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), shownMs);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <IconButton
      icon={copied ? 'check' : 'copy'}
      label={copied ? strings.common.copied : label}
      onClick={() => void copyText(text()).then(setCopied)}
    />
  );
}
