/** The icon set: 16 px outlines that take the colour of their text. Decorative always; names come from the control. */

const paths = {
  plus: 'M8 3v10M3 8h10',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.8 10.8 14 14',
  close: 'm4 4 8 8M12 4l-8 8',
  copy: 'M6 6h7v7H6zM3.5 10H3V3h7v.5',
  check: 'm3 8.5 3.2 3L13 4.5',
  edit: 'm10.5 3 2.5 2.5L5.5 13H3v-2.5zM9 4.5 11.5 7',
  refresh: 'M13 8a5 5 0 1 1-1.6-3.7M13 2v3.2H9.8',
  left: 'M9.5 4 5.5 8l4 4',
  right: 'm6.5 4 4 4-4 4',
  down: 'm4 6 4 4 4-4',
  up: 'm4 10 4-4 4 4',
  send: 'M8 13V3.5M4 7l4-4 4 4',
  stop: 'M4.5 4.5h7v7h-7z',
  raw: 'M5.5 4.5 2 8l3.5 3.5M10.5 4.5 14 8l-3.5 3.5',
  tokens: 'M2 5h4v6H2zM6 5h3v6H6zM9 5h5v6H9z',
  pulse: 'M1.5 9h3l1.7-5L9 12l2-5 1 2h2.5',
  rail: 'M2.5 3h11v10h-11zM6 3v10',
  drawer: 'M2.5 3h11v10h-11zM10 3v10',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  pin: 'M6 2.5h4l-.5 4L12 9H4l2.5-2.5zM8 9v4.5',
  trash: 'M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 9h6l.5-9',
  model: 'm8 1.8 5.4 3.1v6.2L8 14.2l-5.4-3.1V4.9zM2.6 4.9 8 8l5.4-3.1M8 8v6.2',
  settings: 'M2.5 4.5h6M11.5 4.5h2M10 3v3M2.5 11.5h2M7.5 11.5h6M6 10v3',
  folder: 'M2 4h4l1.5 1.5H14V13H2z',
  pause: 'M5.5 4v8M10.5 4v8',
  play: 'm5 3.5 7 4.5-7 4.5z',
  reset: 'M3 8a5 5 0 1 0 1.6-3.7M3 2v3.2h3.2',
  warning: 'M8 2.5 14.5 13h-13zM8 6.5v3M8 11.4h.01',
  command: 'M3 4h10v8H3zM5.5 6.8 7 8l-1.5 1.2M8.2 9.6h2.3',
  chat: 'M2.5 3.5h11v7h-6l-3 2.5v-2.5h-2z',
  plug: 'M5.5 2v3M10.5 2v3M3.5 5h9v2.5a4.5 4.5 0 0 1-9 0zM8 12v2.5',
  external: 'M9 3h4v4M13 3 7.5 8.5M11 9.5V13H3V5h3.5',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
