//! How a dump is written: the XML of `thin_dump`, or its text for people. Every byte is as there.

use super::Header;
use crate::devices::Device;
use crate::mappings::Run;
use crate::text::Text;
use crate::units::MetadataBlock;

/// Writes the parts of a dump. Each begins a line, so that what comes last has no end of line.
pub(super) trait Markup: Sync {
    fn begin(&self, text: &mut Text, header: &Header);
    fn definition_begin(&self, text: &mut Text, name: MetadataBlock);
    fn definition_end(&self, text: &mut Text);
    fn device_begin(&self, text: &mut Text, device: &Device);
    fn device_end(&self, text: &mut Text);
    fn reference(&self, text: &mut Text, name: MetadataBlock);
    fn run(&self, text: &mut Text, run: &Run);
    fn end(&self, text: &mut Text);
}

/// What `thin_restore` reads.
pub(super) struct Xml;

impl Markup for Xml {
    fn begin(&self, text: &mut Text, header: &Header) {
        text.add("<superblock uuid=\"\" time=\"").number(header.time.get());
        text.add("\" transaction=\"").number(header.transaction_id);
        if header.needs_check {
            text.add("\" flags=\"1");
        }
        text.add("\" version=\"").number(header.version);
        text.add("\" data_block_size=\"").number(header.data_block_sectors);
        text.add("\" nr_data_blocks=\"").number(header.data_blocks).add("\">");
    }

    fn definition_begin(&self, text: &mut Text, name: MetadataBlock) {
        text.add("\n  <def name=\"").number(name.get()).add("\">");
    }

    fn definition_end(&self, text: &mut Text) {
        text.add("\n  </def>");
    }

    fn device_begin(&self, text: &mut Text, device: &Device) {
        text.add("\n  <device dev_id=\"").number(device.id.get());
        text.add("\" mapped_blocks=\"").number(device.mapped_blocks);
        text.add("\" transaction=\"").number(device.transaction_id);
        text.add("\" creation_time=\"").number(device.creation_time.get());
        text.add("\" snap_time=\"").number(device.snapshot_time.get()).add("\">");
    }

    fn device_end(&self, text: &mut Text) {
        text.add("\n  </device>");
    }

    fn reference(&self, text: &mut Text, name: MetadataBlock) {
        text.add("\n    <ref name=\"").number(name.get()).add("\"/>");
    }

    fn run(&self, text: &mut Text, run: &Run) {
        let is_single = run.length == 1;
        let (virtual_name, data_name) = if is_single {
            ("\n    <single_mapping origin_block=\"", "\" data_block=\"")
        } else {
            ("\n    <range_mapping origin_begin=\"", "\" data_begin=\"")
        };
        text.add(virtual_name).number(run.virtual_begin.get());
        text.add(data_name).number(run.data_begin.get());
        if !is_single {
            text.add("\" length=\"").number(run.length);
        }
        text.add("\" time=\"").number(run.time.get()).add("\"/>");
    }

    fn end(&self, text: &mut Text) {
        text.add("\n</superblock>");
    }
}

/// What people read; ranges have both their ends in them.
pub(super) struct HumanReadable;

impl Markup for HumanReadable {
    fn begin(&self, text: &mut Text, header: &Header) {
        text.add("begin superblock: \"\", ").number(header.time.get());
        text.add(", ").number(header.transaction_id);
        text.add(", ").number(header.needs_check);
        text.add(", ").number(header.version);
        text.add(", ").number(header.data_block_sectors);
        text.add(", ").number(header.data_blocks).add("\n");
    }

    fn definition_begin(&self, text: &mut Text, name: MetadataBlock) {
        text.add("def: ").number(name.get()).add("\n");
    }

    fn definition_end(&self, text: &mut Text) {
        text.add("\n");
    }

    fn device_begin(&self, text: &mut Text, device: &Device) {
        text.add("device: ").number(device.id.get());
        text.add("\nmapped_blocks: ").number(device.mapped_blocks);
        text.add("\ntransaction: ").number(device.transaction_id);
        text.add("\ncreation time: ").number(device.creation_time.get());
        text.add("\nsnap time: ").number(device.snapshot_time.get()).add("\n");
    }

    fn device_end(&self, text: &mut Text) {
        text.add("\n");
    }

    fn reference(&self, text: &mut Text, name: MetadataBlock) {
        text.add("    ref: ").number(name.get()).add("\n");
    }

    fn run(&self, text: &mut Text, run: &Run) {
        let last = |begin: u64| begin.saturating_add(run.length.saturating_sub(1));
        let (virtual_begin, data_begin) = (run.virtual_begin.get(), run.data_begin.get());
        text.add("    (").number(virtual_begin).add("..").number(last(virtual_begin));
        text.add(") -> (").number(data_begin).add("..").number(last(data_begin));
        text.add("), ").number(run.time.get()).add("\n");
    }

    fn end(&self, text: &mut Text) {
        text.add("end superblock\n");
    }
}
