import type { PartInput } from "hubbub/chat";
import { useState } from "react";
import { useTexts } from "../../i18n/index.ts";
import { Button, Dialog, TextField, toast } from "../../ui/index.ts";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";

/** Send a place: where one is, or any other. */
export function LocationDialog(props: { onClose(): void; onMade(parts: readonly PartInput[]): void }) {
  const t = useTexts(texts);
  const [label, setLabel] = useState("");
  const [latitude, setLatitude] = useState("");
  const [longitude, setLongitude] = useState("");
  const [accuracy, setAccuracy] = useState<number>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const locate = () => {
    setBusy(true);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        setLatitude(coords.latitude.toFixed(6));
        setLongitude(coords.longitude.toFixed(6));
        setAccuracy(coords.accuracy);
        setBusy(false);
      },
      () => {
        setBusy(false);
        toast(t("notLocated"), { tone: "danger" });
      },
    );
  };
  const make = () => {
    const [north, east] = [latitude, longitude].map((each) =>
      Number(each.trim().replace(",", ".") || Number.NaN),
    );
    if (north === undefined || east === undefined) return;
    if (!(Math.abs(north) <= 90 && Math.abs(east) <= 180)) return setError(t("locationNeeds"));
    props.onMade([
      {
        type: "location",
        latitude: north,
        longitude: east,
        ...(label.trim() !== "" && { label: label.trim() }),
        ...(accuracy !== undefined && { accuracy }),
      },
    ]);
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t("locationTitle")}
      size="s"
      onSubmit={make}
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit">
            {t("locationSend")}
          </Button>
        </>
      }
    >
      <Button icon="pin" busy={busy} onClick={locate}>
        {t("whereIAm")}
      </Button>
      <div className={styles.two}>
        <TextField
          label={t("latitude")}
          inputMode="decimal"
          value={latitude}
          onChange={(value) => {
            setLatitude(value);
            setAccuracy(undefined);
          }}
        />
        <TextField
          label={t("longitude")}
          inputMode="decimal"
          value={longitude}
          onChange={(value) => {
            setLongitude(value);
            setAccuracy(undefined);
          }}
        />
      </div>
      <TextField label={t("locationLabel")} value={label} onChange={setLabel} maxLength={200} />
      {error !== "" && (
        <p role="alert" className={styles.error}>
          {error}
        </p>
      )}
    </Dialog>
  );
}
