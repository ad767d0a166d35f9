import { useEffect, useState } from 'preact/hooks';

const query = '(max-width: 899px), (max-height: 500px)';

/** True on phones, upright or lying. The same line as in Lesson.css. */
export function useCompact(): boolean {
  const [compact, setCompact] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const onChange = () => setCompact(media.matches);
    onChange();
    media.addEventListener('change', onChange);
    return () => media.removeEventListener('change', onChange);
  }, []);
  return compact;
}
