/** The tray: Nemoflash stays there when its window is closed, for those who chose so. */
import { Menu, Tray, nativeImage } from 'electron';

export interface TrayOptions {
  /** PNG. */
  readonly icon: string;
  readonly show: () => void;
  readonly quit: () => void;
}

const iconPixels = 22;

/** Returns the function that removes it. */
export function showTray({ icon, show, quit }: TrayOptions): () => void {
  const tray = new Tray(nativeImage.createFromPath(icon).resize({ width: iconPixels, height: iconPixels }));
  tray.setToolTip('Nemoflash');
  tray.setContextMenu(
    Menu.buildFromTemplate([
      { label: 'Show Nemoflash', click: show },
      { type: 'separator' },
      { label: 'Quit', click: quit },
    ]),
  );
  tray.on('click', show);
  return () => tray.destroy();
}
