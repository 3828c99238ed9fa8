"""Scanned PDFs through Google's SDK: shown to models that see, read by Tesseract for others."""

import difflib
import io
from pathlib import Path

import pypdfium2
import pytest
from google import genai
from google.genai import errors, types

from support.api.batch_calls import wait_until_final
from support.api.local_server import LocalServer, OpenServer, client_of
from support.pdf_files import joined_pdf, pdf_of, scan_of

FLASH = "gemini-2.5-flash"
# Debian's; its two first pages are prose.
REAL_PDF = Path("/usr/share/doc/shared-mime-info/shared-mime-info-spec.pdf")


def uploaded(client: genai.Client, pdf: bytes) -> types.File:
    config = types.UploadFileConfig(mime_type="application/pdf", display_name="in.pdf")
    return client.files.upload(file=io.BytesIO(pdf), config=config)


def test_a_batch_shows_a_model_that_sees_the_pages_of_a_scan(seeing_server: LocalServer) -> None:
    pages = joined_pdf(pdf_of("Dear Sir"), scan_of(pdf_of("An invoice")), pdf_of("Yours"))
    with client_of(seeing_server) as client:
        request = types.InlinedRequest(contents=[uploaded(client, pages), "What is owed?"])
        job = client.batches.create(model=FLASH, src=[request])
        done = wait_until_final(client, job.name or "")
        small = client.models.generate_content(
            model=FLASH,
            contents=[uploaded(client, pages)],
            config={"media_resolution": types.MediaResolution.MEDIA_RESOLUTION_LOW},
        )
    assert done.dest is not None
    assert done.dest.inlined_responses is not None
    assert done.dest.inlined_responses[0].response is not None
    assert done.dest.inlined_responses[0].response.text == (
        '<document name="in.pdf" type="application/pdf">\nDear Sir\n<image/png:1186x1536>\n'
        "Yours\n</document>\nWhat is owed?"
    )
    assert "<image/png:297x384>" in (small.text or "")


def test_a_model_that_does_not_see_has_a_scan_refused_with_both_ways_out(
    seeing_server: LocalServer,
) -> None:
    with client_of(seeing_server) as client:
        scan = uploaded(client, scan_of(pdf_of("An invoice")))
        with pytest.raises(errors.ServerError, match=r"fileData is a PDF without text") as raised:
            client.models.generate_content(model="blind", contents=[scan])
    assert raised.value.code == 501
    assert "a model that sees" in str(raised.value)
    assert 'ocr = "tesseract"' in str(raised.value)


@pytest.mark.system
def test_tesseract_reads_a_scan_as_its_source_has_it(open_test_server: OpenServer) -> None:
    document = pypdfium2.PdfDocument(REAL_PDF)
    part = pypdfium2.PdfDocument.new()
    part.import_pages(document, pages=[2, 3])
    file = io.BytesIO()
    part.save(file)
    source = [page.get_textpage().get_text_bounded() for page in part]
    with client_of(open_test_server(ocr="tesseract")) as client:
        scan = uploaded(client, scan_of(file.getvalue(), dots_of_an_inch=200))
        read = client.models.generate_content(model=FLASH, contents=[scan]).text or ""
    words, wanted = read.split(), " ".join(source).split()
    same = difflib.SequenceMatcher(a=words, b=wanted, autojunk=False).ratio()
    print(f"{same:.3f} of {len(wanted)} words")
    assert len(wanted) > 300
    assert same > 0.95
