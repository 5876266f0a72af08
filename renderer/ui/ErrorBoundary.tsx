import { Component } from 'react';
import type { ReactNode } from 'react';

interface Props {
  /** Shown instead of what failed. */
  readonly fallback: (error: Error) => ReactNode;
  /** A new value is a new attempt. */
  readonly resetKey?: unknown;
  readonly children: ReactNode;
}

/** Keeps a failure while drawing inside its own box. */
export class ErrorBoundary extends Component<Props, { readonly error: Error | null }> {
  override state: { readonly error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { readonly error: Error } {
    return { error };
  }

  override componentDidUpdate(before: Props): void {
    if (this.state.error !== null && before.resetKey !== this.props.resetKey) this.setState({ error: null });
  }

  override render(): ReactNode {
    return this.state.error === null ? this.props.children : this.props.fallback(this.state.error);
  }
}
