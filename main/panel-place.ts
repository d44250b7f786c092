export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

const GAP = 4;

/**
 * Where the panel opens: centred under its icon, inside the display. Without an icon to be seen
 * (macOS 26 can hide it, and then tells a place off the screen) in the upper right corner.
 */
export function placePanel(
  icon: Rectangle,
  panel: Pick<Rectangle, 'width' | 'height'>,
  workArea: Rectangle,
): { x: number; y: number } {
  const right = workArea.x + workArea.width - panel.width - GAP;
  const isHidden = icon.width === 0 || icon.y >= workArea.y + workArea.height;
  const centred = icon.x + icon.width / 2 - panel.width / 2;
  const x = isHidden ? right : Math.min(Math.max(centred, workArea.x + GAP), right);
  const below = isHidden ? workArea.y : Math.max(icon.y + icon.height, workArea.y);
  return { x: Math.round(x), y: Math.round(below + GAP) };
}
