import type { ReactNode } from 'react';

import { Icon } from './Icon.tsx';

/** Words about a state, and the actions that help. */
export function Notice(props: {
  readonly tone: 'bad' | 'warn' | 'plain';
  readonly children: ReactNode;
  readonly actions?: ReactNode;
}) {
  const { tone, children, actions } = props;
  return (
    <div className={`notice notice-${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      {tone !== 'plain' && <Icon name="warning" />}
      <div className="notice-words">{children}</div>
      {actions !== undefined && <div className="notice-actions">{actions}</div>}
    </div>
  );
}
