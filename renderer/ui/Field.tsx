import { useId } from 'react';
import type { ReactNode } from 'react';

import { Icon } from './Icon.tsx';

/** A label, the control it names, and a sentence about it. */
export function Field(props: {
  readonly label: string;
  readonly help?: string;
  readonly error?: string | null;
  readonly children: (ids: { readonly id: string; readonly helpId: string }) => ReactNode;
}) {
  const { label, help, error = null, children } = props;
  const id = useId();
  const helpId = `${id}-help`;
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      {children({ id, helpId })}
      {(help !== undefined || error !== null) && (
        <p id={helpId} className={error !== null ? 'field-help field-error' : 'field-help'}>
          {error ?? help}
        </p>
      )}
    </div>
  );
}

export interface Option<T extends string> {
  readonly value: T;
  readonly label: string;
}

export function SelectField<T extends string>(props: {
  readonly label: string;
  readonly help?: string;
  readonly value: T;
  readonly options: readonly Option<T>[];
  readonly disabled?: boolean;
  readonly onChange: (value: T) => void;
}) {
  const { label, help, value, options, disabled = false, onChange } = props;
  return (
    <Field label={label} {...(help === undefined ? {} : { help })}>
      {({ id, helpId }) => (
        <span className="select-box">
          <select
            id={id}
            className="input select"
            aria-describedby={helpId}
            value={value}
            disabled={disabled}
            onChange={(change) => {
              const option = options.find((entry) => entry.value === change.target.value);
              if (option !== undefined) onChange(option.value);
            }}
          >
            {options.map((option) => (
              <option key={option.value} value={option.value}>
                {option.label}
              </option>
            ))}
          </select>
          <Icon name="down" />
        </span>
      )}
    </Field>
  );
}
