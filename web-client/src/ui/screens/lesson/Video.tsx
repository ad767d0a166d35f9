import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface Props {
  stream: MediaStream | undefined;
  /** Only one's own camera is mirrored. */
  mirrored?: boolean;
  /** A screen keeps its edges, a face fills its frame. */
  fit?: 'contain' | 'cover';
  label: string;
  /** The stream whose first frame is there. */
  onShown?: (stream: MediaStream | undefined) => void;
}

/**
 * A picture without sound: sound plays in its own elements, so that moving pictures never cuts a voice. It shows itself
 * with its first frame; what stands behind it fills the time until then.
 */
export function Video({ stream, mirrored, fit = 'cover', label, onShown }: Props) {
  const element = useRef<HTMLVideoElement>(null);
  const [shown, setShown] = useState<MediaStream>();
  useLayoutEffect(() => {
    const video = element.current;
    if (!video || video.srcObject === (stream ?? null)) return;
    video.srcObject = stream ?? null;
    if (stream) video.play().catch(() => {});
  }, [stream]);
  const waiting = stream === undefined || shown !== stream;
  const classes = ['video', `video-${fit}`, mirrored && 'video-mirrored', waiting && 'video-waiting'];
  return (
    <video
      ref={element}
      class={classes.filter(Boolean).join(' ')}
      autoplay
      muted
      playsInline
      aria-label={label}
      onLoadedData={() => {
        setShown(stream);
        onShown?.(stream);
      }}
    />
  );
}
