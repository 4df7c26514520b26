import { Component, type ReactNode } from "react";
import { translate } from "../i18n/index.ts";
import { Button, EmptyState } from "../ui/index.ts";
import { texts } from "./texts.ts";

/** Where a part fails, the rest goes on. `reset` that changes tries again: where one is, as a rule. */
export class Boundary extends Component<{ children: ReactNode; reset?: string }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override componentDidUpdate(before: { reset?: string }) {
    if (this.state.failed && before.reset !== this.props.reset) this.setState({ failed: false });
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <EmptyState
        icon="warning"
        title={translate(texts, "broken")}
        action={
          <Button onClick={() => this.setState({ failed: false })}>{translate(texts, "tryAgain")}</Button>
        }
      >
        {translate(texts, "brokenHint")}
      </EmptyState>
    );
  }
}
