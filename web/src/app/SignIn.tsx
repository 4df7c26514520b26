export function SignIn(_props: { error?: string | undefined; busy: boolean }) {
  return null;
}
