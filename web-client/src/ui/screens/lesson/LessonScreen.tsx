import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n/index.ts';
import { CameraDemand, CameraDemandContext } from './cameraDemand.ts';
import { FloorStrip } from './FloorStrip.tsx';
import { type LessonDialog, LessonDialogs } from './LessonDialogs.tsx';
import { LessonHeader } from './LessonHeader.tsx';
import { ListenerBar } from './ListenerBar.tsx';
import { Notices } from './Notices.tsx';
import { type PanelPage, SidePanel } from './SidePanel.tsx';
import { Stage } from './Stage.tsx';
import { Strip } from './Strip.tsx';
import { TeacherBar } from './TeacherBar.tsx';
import { useCompact } from './useCompact.ts';
import { useLessonKeys } from './useLessonKeys.ts';
import type { LessonActions, LessonView } from './view.ts';
import './Lesson.css';

interface Props {
  view: LessonView;
  actions: LessonActions;
}

const phoneVideos = 2;
const laptopVideos = 6;

/** The lesson: header, stage, strip, panel, bar; one page for teacher, student and visitor, drawn by their rights. */
export function LessonScreen({ view, actions }: Props) {
  const compact = useCompact();
  const [page, setPage] = useState<PanelPage>(view.rights.leads ? 'people' : 'chat');
  const [dialog, setDialog] = useState<LessonDialog>();
  const demand = useDemand(actions);

  const openChat = () => {
    setPage('chat');
    requestAnimationFrame(() => document.getElementById('chat-input')?.focus());
  };
  const openHands = () => {
    setPage('people');
    requestAnimationFrame(() => document.getElementById('hands')?.focus());
  };
  const onHand = () => (view.rights.leads ? openHands() : actions.setHand(view.handPlace === undefined));
  useLessonKeys({
    onMicrophone: () => view.rights.speaks && actions.setMicrophone(view.microphone !== 'on'),
    onHand: () => view.rights.speaks && onHand(),
    onChat: openChat,
  });

  const stageVideo = view.stage.kind === 'person' && view.stage.of.camera && !view.stage.of.me ? 1 : 0;
  const videos = view.showsVideo ? (compact ? phoneVideos : laptopVideos) - stageVideo : 0;
  const bar = { view, actions, chatOpen: page === 'chat', onChat: openChat };
  return (
    <CameraDemandContext.Provider value={demand}>
      <div class="lesson">
        <LessonHeader view={view} actions={actions} compact={compact} openDialog={setDialog} />
        <Notices notices={view.notices} actions={actions} />
        <main class="lesson-main">
          <Stage view={view} actions={actions} onReceive={() => setDialog({ kind: 'receive' })} />
          <Strip view={view} liveVideos={videos} />
        </main>
        <SidePanel view={view} actions={actions} page={page} onPage={setPage} openDialog={setDialog} />
        <footer class="lesson-bar" data-region="bar" aria-label={t('lesson.controls')}>
          {!view.rights.leads && view.me.floor && <FloorStrip view={view} actions={actions} />}
          {view.rights.leads ? (
            <TeacherBar
              {...bar}
              compact={compact}
              onHands={openHands}
              onEnd={() => setDialog({ kind: 'end' })}
              onLeave={() => setDialog({ kind: 'leave' })}
            />
          ) : (
            <ListenerBar
              {...bar}
              onReceive={() => setDialog({ kind: 'receive' })}
              onLeave={() => setDialog({ kind: 'leave' })}
            />
          )}
        </footer>
        <LessonDialogs dialog={dialog} view={view} actions={actions} close={() => setDialog(undefined)} />
      </div>
    </CameraDemandContext.Provider>
  );
}

function useDemand(actions: LessonActions): CameraDemand {
  const [demand] = useState(() => new CameraDemand((cameras) => actions.showCameras(cameras)));
  useEffect(() => () => demand.stop(), [demand]);
  return demand;
}
