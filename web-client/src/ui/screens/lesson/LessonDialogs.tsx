import { ChatRulesDialog } from './ChatRulesDialog.tsx';
import { LeaveDialog } from './LeaveDialog.tsx';
import { ReceiveDialog } from './ReceiveDialog.tsx';
import { RemoveDialog } from './RemoveDialog.tsx';
import { ReportDialog } from './ReportDialog.tsx';
import type { LessonActions, LessonPerson, LessonView } from './view.ts';

/** The window that is open over the lesson. */
export type LessonDialog =
  | { kind: 'remove'; person: LessonPerson }
  | { kind: 'report' | 'end' | 'leave' | 'receive' | 'chat_rules' };

interface Props {
  dialog: LessonDialog | undefined;
  view: LessonView;
  actions: LessonActions;
  close: () => void;
}

/** Draws the open window, one at a time. */
export function LessonDialogs({ dialog, view, actions, close }: Props) {
  switch (dialog?.kind) {
    case 'remove':
      return <RemoveDialog person={dialog.person} actions={actions} close={close} />;
    case 'report':
      return <ReportDialog actions={actions} close={close} />;
    case 'end':
    case 'leave':
      return <LeaveDialog view={view} actions={actions} ending={dialog.kind === 'end'} close={close} />;
    case 'receive':
      return <ReceiveDialog view={view} actions={actions} close={close} />;
    case 'chat_rules':
      return <ChatRulesDialog view={view} actions={actions} close={close} />;
    default:
      return null;
  }
}
