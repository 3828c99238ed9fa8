"""PDFs written by hand, small and exact, so that a test says what is in them; and scans of PDFs."""

import io
import zlib

import pypdfium2

Stream = bytes


def pdf_of(*pages: str) -> bytes:
    """Return a PDF with these lines of text, a page each."""
    return pdf_of_streams(*(_lines(page) for page in pages))


def pdf_bomb(inflated_bytes: int) -> bytes:
    """Return a small PDF whose page inflates to that many bytes."""
    packer = zlib.compressobj(9)
    piece = b" " * (1 << 20)
    packed = b"".join(packer.compress(piece) for _ in range(inflated_bytes >> 20))
    packed += packer.flush()
    # Packed once more, the packed zeros themselves are nearly nothing.
    twice = zlib.compress(packed, 9)
    return pdf_of_streams(twice, filters="/Filter [/FlateDecode /FlateDecode]")


def encrypted_pdf() -> bytes:
    """Return a PDF that no empty password opens."""
    encrypt = (
        b"<< /Filter /Standard /V 1 /R 2 /O <" + b"41" * 32 + b"> /U <" + b"42" * 32 + b"> /P -4 >>"
    )
    return _file([b"<< /Type /Catalog /Pages 2 0 R >>", _pages([]), encrypt], encrypted=True)


def pdf_of_streams(*streams: Stream, filters: str = "") -> bytes:
    """Return a PDF whose pages have these content streams."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for stream in streams:
        head = f"<< /Length {len(stream)} {filters} >>\nstream\n".encode()
        objects.append(head + stream + b"\nendstream")
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(page.encode())
        kids.append(len(objects))
    objects[1] = _pages(kids)
    return _file(objects)


def scan_of(pdf: bytes, dots_of_an_inch: int = 150) -> bytes:
    """Return a PDF whose pages are grey pictures of those, as a scanner makes them."""
    pages = [
        page.render(scale=dots_of_an_inch / 72, grayscale=True).to_pil()
        for page in pypdfium2.PdfDocument(pdf)
    ]
    file = io.BytesIO()
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:], resolution=dots_of_an_inch)
    return file.getvalue()


def joined_pdf(*pdfs: bytes) -> bytes:
    """Return one PDF with the pages of all."""
    joined = pypdfium2.PdfDocument.new()
    for pdf in pdfs:
        joined.import_pages(pypdfium2.PdfDocument(pdf))
    file = io.BytesIO()
    joined.save(file)
    return file.getvalue()


def _pages(kids: list[int]) -> bytes:
    names = " ".join(f"{kid} 0 R" for kid in kids)
    return f"<< /Type /Pages /Kids [{names}] /Count {len(kids)} >>".encode()


def _lines(page: str) -> Stream:
    shown = []
    for line in page.split("\n"):
        escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        shown.append(f"({escaped}) Tj 0 -20 Td")
    return f"BT /F1 14 Tf 72 720 Td {' '.join(shown)} ET".encode("latin-1")


def _file(objects: list[bytes], *, encrypted: bool = False) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    more = f"/Encrypt {len(objects)} 0 R /ID [<41> <41>]" if encrypted else ""
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {more} >>\n".encode()
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())
