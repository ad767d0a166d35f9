import { useEffect, useState } from 'preact/hooks';
import { holds } from '../../app/account.ts';
import type { Wish } from '../../app/check.ts';
import { day, refreshDay } from '../../app/day.ts';
import { checkNeeded } from '../../app/devices.ts';
import { isInside } from '../../app/enterLesson.ts';
import { goHome } from '../../app/route.ts';
import { started, startOver, startOverNow } from '../../app/startOver.ts';
import type { Me } from '../../school/api.ts';
import { language, t } from '../i18n/index.ts';
import { localized } from '../kit/names.ts';
import { AwayPage } from '../shell/AwayPage.tsx';
import { useTitle } from '../shell/useTitle.ts';
import { LoadingPage } from '../shell/LoadingPage.tsx';
import { CheckRoute } from './CheckRoute.tsx';
import { lessonPart } from './parts.ts';
import { rememberedWish, rememberWish } from '../../app/wish.ts';

interface Props {
  me: Me;
  lesson: string;
}

/** The way into a lesson: the check where it is needed, then the lesson. A visit sends nothing, so it checks nothing. */
export function LessonRoute({ me, lesson }: Props) {
  const [wish, setWish] = useState<Wish>();
  const [check, setCheck] = useState<boolean>();
  const [entry, setEntry] = useState(0);
  const info = day.value.today?.lessons.find((each) => each.lesson === lesson);
  useTitle(info && `${localized(info.subject, language.value)} ${info.group}`);
  const teacher = info ? info.teacher.user === me.user : holds(me, 'teacher');
  const visits = !teacher && !holds(me, 'student');

  useEffect(() => {
    void lessonPart.load();
    // A lesson that was started a moment ago is not on the list yet.
    if (!info) void refreshDay();
    if (visits) setWish({ microphone: false, camera: false });
    else if (isInside(lesson)) setWish(rememberedWish(teacher));
    else void checkNeeded().then((needed) => (needed ? setCheck(true) : setWish(rememberedWish(teacher))));
  }, []);

  const InLesson = lessonPart.page.value;
  const isMissing = lessonPart.isMissing.value;
  useEffect(() => {
    if (InLesson) started();
    if (isMissing) void startOver();
  }, [InLesson, isMissing]);

  const enter = (chosen: Wish) => {
    rememberWish(chosen);
    setWish(chosen);
  };
  if (wish && InLesson) return <InLesson key={entry} lesson={lesson} wish={wish} onAgain={() => setEntry(entry + 1)} />;
  if (check && !wish)
    return <CheckRoute lesson={lesson} info={info} teacher={teacher} onEnter={enter} onBack={goHome} />;
  if (isMissing) return <AwayPage outage="unreachable" onRetry={startOverNow} />;
  return <LoadingPage label={t('lesson.entering')} />;
}
