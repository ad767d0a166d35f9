import { type Account, openAccount } from '../../app/account.ts';
import { t } from '../i18n/index.ts';
import { useTitle } from '../shell/useTitle.ts';
import { SignIn } from '../screens/signin/SignIn.tsx';

interface Props {
  account: Extract<Account, { kind: 'out' }>;
}

/** The sign-in screen over the account. */
export function SignInRoute({ account }: Props) {
  useTitle(t('signIn.title'));
  return <SignIn problem={account.problem} busy={account.busy} onSignIn={openAccount} />;
}
