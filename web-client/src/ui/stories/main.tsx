/**
 * Every screen with made-up data: opened by developers at `/stories.html#<story>?lang=ar`, and by the script that takes
 * pictures. Not an entry of the production build.
 */
import { render } from 'preact';
import { setLanguage } from '../i18n/index.ts';
import { LiveRegions } from '../kit/LiveRegions.tsx';
import '../styles/index.css';
import { homeStories } from './homeStories.tsx';
import { lessonStories } from './lessonStories.tsx';
import { windowStories } from './windowStories.tsx';

const stories: Record<string, () => unknown> = { ...homeStories, ...lessonStories, ...windowStories };

const [name = '', query = ''] = location.hash.slice(1).split('?');
const asked = new URLSearchParams(query);
await setLanguage(asked.get('lang') ?? 'ar');
document.documentElement.dataset.theme = asked.get('theme') ?? 'light';
document.documentElement.dataset.text = asked.get('text') ?? 'normal';

function Index() {
  return (
    <ul>
      {Object.keys(stories).map((key) => (
        <li key={key}>
          <a href={`#${key}?lang=ar`} onClick={() => setTimeout(() => location.reload())}>
            {key}
          </a>
        </li>
      ))}
    </ul>
  );
}

const Story = (stories[name] ?? Index) as () => preact.JSX.Element;
render(
  <>
    <Story />
    <LiveRegions />
  </>,
  document.getElementById('app') as HTMLElement,
);
