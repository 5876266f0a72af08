import type { ComponentProps, ReactNode } from 'react';

import { Icon } from './Icon.tsx';
import type { IconName } from './Icon.tsx';

type Native = Omit<ComponentProps<'button'>, 'className' | 'type'>;

export interface ButtonProps extends Native {
  readonly look?: 'plain' | 'primary' | 'danger' | 'link';
  readonly icon?: IconName;
  readonly children: ReactNode;
}

export function Button({ look = 'plain', icon, children, ...rest }: ButtonProps) {
  return (
    <button type="button" className={`button button-${look}`} {...rest}>
      {icon !== undefined && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  );
}

export interface IconButtonProps extends Native {
  readonly icon: IconName;
  /** Accessible name, also shown on hover. */
  readonly label: string;
  /** Keys that do the same, shown with the name. */
  readonly keys?: string;
}

export function IconButton({ icon, label, keys, ...rest }: IconButtonProps) {
  const title = keys === undefined ? label : `${label} (${keys})`;
  return (
    <button type="button" className="icon-button" aria-label={label} title={title} {...rest}>
      <Icon name={icon} />
    </button>
  );
}
