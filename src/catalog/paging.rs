//! Where a page of a list begins and ends.

/// One page of rows, with what the page needs to say about the whole list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Rows of the whole list.
    pub total: u32,
    /// This page, from 1: the last one, when a page beyond it was asked for.
    pub page: u32,
    /// Number of pages, at least 1.
    pub pages: u32,
}

/// The window of rows to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub page: u32,
    pub pages: u32,
    pub total: u32,
    pub limit: u32,
    pub offset: u64,
}

impl Window {
    /// The window of page `page` (from 1) of `total` rows.
    pub fn of(total: u32, page: u32, limit: u32) -> Self {
        let limit = limit.max(1);
        let pages = total.div_ceil(limit).max(1);
        let page = page.clamp(1, pages);
        Self {
            page,
            pages,
            total,
            limit,
            offset: u64::from(page - 1) * u64::from(limit),
        }
    }

    pub fn with<T>(self, rows: Vec<T>) -> Paged<T> {
        Paged {
            rows,
            total: self.total,
            page: self.page,
            pages: self.pages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn a_page_beyond_the_last_is_the_last() {
        let window = |total, page| {
            let window = Window::of(total, page, 50);
            (window.page, window.pages, window.offset)
        };
        assert_eq!(window(0, 1), (1, 1, 0));
        assert_eq!(window(0, u32::MAX), (1, 1, 0));
        assert_eq!(window(50, 2), (1, 1, 0));
        assert_eq!(window(51, 2), (2, 2, 50));
        assert_eq!(window(51, 0), (1, 2, 0));
        assert_eq!(window(u32::MAX, u32::MAX).0, u32::MAX / 50 + 1);
    }
}
