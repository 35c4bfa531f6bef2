/** Asks for the API token when the control plane wants one, and trades it for a session cookie that scripts cannot read. */
import { signal } from '@preact/signals';
import type { JSX, TargetedSubmitEvent } from 'preact';
import { signIn } from './live.ts';

const problem = signal('');
const isBusy = signal(false);

export function Login(): JSX.Element {
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const token = new FormData(event.currentTarget).get('token');
    if (typeof token !== 'string' || token === '') return;
    isBusy.value = true;
    problem.value = (await signIn(token)) ?? '';
    isBusy.value = false;
  };
  return (
    <form class="login" onSubmit={submit}>
      <h2>Sign in</h2>
      <label for="token">API token</label>
      <input
        id="token"
        name="token"
        type="password"
        autocomplete="current-password"
        required
        ref={focusOnce}
        aria-describedby="token-help"
      />
      <p id="token-help" class="dim">
        The token the control plane was started with (<code>--api-token-file</code> or <code>WEIR_API_TOKEN</code>).
      </p>
      <button type="submit" disabled={isBusy.value}>
        {isBusy.value ? 'Signing in …' : 'Sign in'}
      </button>
      <p class="bad" role="alert">
        {problem.value}
      </p>
    </form>
  );
}

/** There is nothing else on the page to do; called once, as it is the same function at every rendering. */
function focusOnce(input: HTMLInputElement | null): void {
  input?.focus();
}
