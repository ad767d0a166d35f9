import { useEffect, useRef, useState } from 'preact/hooks';
import type { SignInProblem } from '../../../app/account.ts';
import { t } from '../../i18n/index.ts';
import { announceNow } from '../../kit/announce.ts';
import { Banner } from '../../kit/Banner.tsx';
import { Button } from '../../kit/Button.tsx';
import { IconButton } from '../../kit/IconButton.tsx';
import { TextField } from '../../kit/TextField.tsx';
import { SignInFrame } from './SignInFrame.tsx';

interface Props {
  problem?: SignInProblem;
  busy?: boolean;
  onSignIn: (login: string, password: string) => void;
}

/** Account code and password, the language switch before everything else. */
export function SignIn({ problem, busy, onSignIn }: Props) {
  const [login, setLogin] = useState('');
  const [password, setPassword] = useState('');
  const [shown, setShown] = useState(false);
  const [missing, setMissing] = useState(false);
  const wait = useCountdown(problem?.code === 'too_many_attempts' ? problem.retryAfterS : 0, problem);
  const text = missing ? t('signIn.missing') : problem && textOf(problem, wait);
  useEffect(() => {
    if (text && problem?.code !== 'too_many_attempts') announceNow(text);
  }, [text, problem]);

  const onSubmit = (event: Event) => {
    event.preventDefault();
    const complete = login.trim() !== '' && password !== '';
    setMissing(!complete);
    if (complete && wait === 0 && !busy) onSignIn(login.trim(), password);
  };

  return (
    <SignInFrame>
      <form class="sign-in-form" onSubmit={onSubmit} noValidate>
        <div>
          <h1>{t('signIn.title')}</h1>
          <p class="muted">{t('signIn.hint')}</p>
        </div>
        {text && <Banner tone={problem?.code === 'signed_out' && !missing ? 'info' : 'danger'}>{text}</Banner>}
        <TextField
          label={t('signIn.login')}
          name="login"
          dir="ltr"
          class="sign-in-latin"
          autoComplete="username"
          autoCapitalize="none"
          spellcheck={false}
          value={login}
          onValue={setLogin}
        />
        <TextField
          label={t('signIn.password')}
          name="password"
          dir="ltr"
          class="sign-in-latin"
          type={shown ? 'text' : 'password'}
          autoComplete="current-password"
          value={password}
          onValue={setPassword}
          addon={
            <IconButton
              icon={shown ? 'eyeOff' : 'eye'}
              label={t(shown ? 'signIn.hidePassword' : 'signIn.showPassword')}
              onClick={() => setShown(!shown)}
            />
          }
        />
        <Button type="submit" kind="primary" size="large" wide busy={busy} disabled={wait > 0}>
          {wait > 0 ? t('signIn.waitButton', { seconds: wait }) : t(busy ? 'signIn.working' : 'signIn.submit')}
        </Button>
        <p class="muted small">{t('signIn.forgotten')}</p>
      </form>
    </SignInFrame>
  );
}

function textOf(problem: SignInProblem, wait: number): string | undefined {
  switch (problem.code) {
    case 'wrong_credentials':
      return t('signIn.wrong');
    case 'account_disabled':
      return t('signIn.disabled');
    case 'unreachable':
      return t('signIn.noAnswer');
    case 'unavailable':
      return t('signIn.unavailable');
    case 'signed_out':
      return t('signIn.signedOut');
    case 'too_many_attempts':
      return wait > 0 ? t('signIn.wait', { seconds: wait }) : undefined;
    case 'no_cookies':
      return t('signIn.noCookies');
    default:
      return t('signIn.otherProblem');
  }
}

/** Seconds left; counts anew for each new cause. */
function useCountdown(seconds: number, cause: unknown): number {
  const [left, setLeft] = useState(Math.ceil(seconds));
  const end = useRef(0);
  useEffect(() => {
    end.current = performance.now() + seconds * 1000;
    setLeft(Math.ceil(seconds));
    if (seconds <= 0) return;
    const timer = setInterval(() => {
      const now = Math.max(0, Math.ceil((end.current - performance.now()) / 1000));
      setLeft(now);
      if (now === 0) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [cause]);
  return left;
}
