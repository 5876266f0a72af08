import { ToggleGroup } from 'radix-ui';

export interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
}

/** One of a few, all visible. `value` null: none of them holds. */
export function Segmented<T extends string>(props: {
  readonly label: string;
  readonly value: T | null;
  readonly choices: readonly Choice<T>[];
  readonly onChange: (value: T) => void;
}) {
  const { label, value, choices, onChange } = props;
  return (
    <ToggleGroup.Root
      type="single"
      className="segmented"
      aria-label={label}
      value={value ?? ''}
      onValueChange={(next) => {
        const choice = choices.find((entry) => entry.value === next);
        if (choice !== undefined) onChange(choice.value);
      }}
    >
      {choices.map((choice) => (
        <ToggleGroup.Item key={choice.value} value={choice.value} className="segment">
          {choice.label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
