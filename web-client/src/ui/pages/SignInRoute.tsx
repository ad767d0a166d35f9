import { type Account, openAccount } from '../../app/account.ts';
import { SignIn } from '../screens/signin/SignIn.tsx';

interface Props {
  account: Extract<Account, { kind: 'out' }>;
}

/** The sign-in screen over the account. */
export function SignInRoute({ account }: Props) {
  return <SignIn problem={account.problem} busy={account.busy} onSignIn={openAccount} />;
}
