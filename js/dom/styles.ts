// Style sheets, shared by all cards where the browser can.

const sheets = new Map<string, CSSStyleSheet>();

/** Adopted sheets work under every content security policy; a <style> element is for browsers without them. */
export function adoptStyles(shadow: ShadowRoot, text: string): void {
  try {
    let sheet = sheets.get(text);
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      sheets.set(text, sheet);
    }
    shadow.adoptedStyleSheets = [...new Set([...shadow.adoptedStyleSheets, sheet])];
  } catch {
    const style = document.createElement("style");
    style.textContent = text;
    shadow.append(style);
  }
}
