/** The native menu: the system's own roles, so that editing, zooming and window keys work as everywhere. */
import { Menu } from 'electron';
import type { MenuItemConstructorOptions } from 'electron';

/** Developer tools and reload are for development only. */
export function installMenu(options: {
  readonly isMac: boolean;
  readonly isPackaged: boolean;
  /** Shows the page with settings, versions and licences. */
  readonly openSettings: () => void;
}): void {
  const { isMac, isPackaged, openSettings } = options;
  const separator: MenuItemConstructorOptions = { type: 'separator' };
  const forDevelopers: MenuItemConstructorOptions[] = [{ role: 'reload' }, { role: 'toggleDevTools' }, separator];
  const view: MenuItemConstructorOptions = {
    label: 'View',
    submenu: [
      ...(isPackaged ? [] : forDevelopers),
      { role: 'resetZoom' },
      { role: 'zoomIn' },
      { role: 'zoomOut' },
      separator,
      { role: 'togglefullscreen' },
    ],
  };
  const settings: MenuItemConstructorOptions = { label: 'Settings', click: openSettings };
  const appMenu: MenuItemConstructorOptions = {
    role: 'appMenu',
    submenu: [
      { label: 'About Nemoflash', click: openSettings },
      separator,
      { ...settings, accelerator: 'Cmd+,' },
      separator,
      { role: 'services' },
      separator,
      { role: 'hide' },
      { role: 'hideOthers' },
      { role: 'unhide' },
      separator,
      { role: 'quit' },
    ],
  };
  const fileMenu: MenuItemConstructorOptions = { label: 'File', submenu: [settings, separator, { role: 'quit' }] };
  const help: MenuItemConstructorOptions = {
    role: 'help',
    submenu: [{ label: 'About Nemoflash', click: openSettings }],
  };
  const template: MenuItemConstructorOptions[] = [
    isMac ? appMenu : fileMenu,
    { role: 'editMenu' },
    view,
    { role: 'windowMenu' },
    ...(isMac ? [] : [help]),
  ];
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}
