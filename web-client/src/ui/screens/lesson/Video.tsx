import { useLayoutEffect, useRef } from 'preact/hooks';

interface Props {
  stream: MediaStream | undefined;
  /** Only one's own camera is mirrored. */
  mirrored?: boolean;
  /** A screen keeps its edges, a face fills its frame. */
  fit?: 'contain' | 'cover';
  label: string;
}

/** A picture without sound: sound plays in its own elements, so that moving pictures never cuts a voice. */
export function Video({ stream, mirrored, fit = 'cover', label }: Props) {
  const element = useRef<HTMLVideoElement>(null);
  useLayoutEffect(() => {
    const video = element.current;
    if (!video || video.srcObject === (stream ?? null)) return;
    video.srcObject = stream ?? null;
    if (stream) video.play().catch(() => {});
  }, [stream]);
  const classes = ['video', `video-${fit}`, mirrored && 'video-mirrored'];
  return (
    <video ref={element} class={classes.filter(Boolean).join(' ')} autoplay muted playsInline aria-label={label} />
  );
}
