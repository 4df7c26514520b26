import { page } from "../app/page.ts";
import DeveloperPage from "./DeveloperPage.tsx";
import styles from "./developer.module.css";

/** The developer's page without the app around it: where nobody is signed in, or there are no conversations. */
export default function Alone() {
  return (
    <main className={styles.alone}>
      <h1 className="visually-hidden">{page.title}</h1>
      <DeveloperPage rest="" />
    </main>
  );
}
