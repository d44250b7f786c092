const BMP_ALPHA =
  'alpha of a BMP is ignored as in most viewers: programs that write it often leave it at 0';
const CMYK = 'CMYK without a profile: libvips assumes one of a printer, Pillow subtracts the inks';

/** Pictures of Pillow's tests that are shown differently on purpose, and why. */
export const EXPLAINED: Readonly<Record<string, string>> = {
  'rgb32bf-abgr.bmp': BMP_ALPHA,
  'rgb32bf-rgba.bmp': `${BMP_ALPHA} (masks were exchanged by hand)`,
  'bmp/q/rgba32.bmp': BMP_ALPHA,
  'bmp/q/rgba32h56.bmp': BMP_ALPHA,
  'bmp/b/badrle.bmp':
    'broken on purpose: the runs leave the image, decoders differ in what is left',
  'exif_imagemagick_orientation.png':
    'orientation in ImageMagick’s own text chunk, which Pillow reads and browsers do not',
  'tiff_strip_cmyk_16l_jpeg.tif': CMYK,
  'tiff_strip_cmyk_jpeg.tif': CMYK,
  'tiff_tiled_cmyk_jpeg.tif': CMYK,
  'pil_sample_cmyk.jpg': CMYK,
};
